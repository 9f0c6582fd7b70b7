"""Values that stand for weights while a layer is emitted: adapted, quantized.

A layer's `call` reads its weights and knows nothing of this: what it reads is another value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.graph.mapped import APART_FROM, read_array, write_array

_MERGED: ContextVar[bool] = ContextVar("_MERGED", default=False)
"""Whether weights are baked in with what would stand for them."""


class StandIn(Protocol):
    """A value that a layer reads in the place of a weight."""

    @property
    def merges(self) -> bool:
        """Whether what is deployed has it merged into the weight."""

    @property
    def parts(self) -> Sequence[Variable]:
        """The variables that it is made of besides the weight itself."""

    def emit(self, op: Emitter, weight: ir.Value) -> ir.Value:
        """Emit it.

        Args:
            op: emitter of the graph.
            weight: the weight, in the ONNX layout.

        Returns:
            A value of the same dtype and shape.
        """

    def merged(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return what it would compute, from values of the variables, in the ONNX layout."""


@contextmanager
def standing_in(op: Emitter, stand_ins: Mapping[Variable, StandIn]) -> Iterator[None]:
    """Let a layer that is emitted inside read what stands for its weights."""
    with ExitStack() as stack:
        for weight, stand_in in stand_ins.items():
            if _MERGED.get() and stand_in.merges:
                continue
            with op.computing_in(None):
                value = stand_in.emit(op, op.read(weight))
            stack.enter_context(op.standing_for(weight, value))
        yield


@contextmanager
def as_it_is_set(op: Emitter, layer: Any, x: Any, training: bool) -> Iterator[Any]:
    """Let a layer that is emitted inside read what stands for its weights; gives its input.

    Args:
        op: emitter of the graph.
        layer: the layer.
        x: its input; where inputs are rounded, too, the result is the rounded one.
        training: whether ranges of the input are learned.
    """
    with standing_in(op, layer._stand_ins):
        rounds = layer._rounded_input is not None and isinstance(x, ir.Value)
        yield layer._rounded_input.emit(op, x, training) if rounds else x


def is_merged() -> bool:
    """Return whether weights are baked in with what would stand for them."""
    return _MERGED.get()


@contextmanager
def already_merged() -> Iterator[None]:
    """Emit layers inside without what stands for weights: their values hold it already."""
    token = _MERGED.set(True)
    try:
        yield
    finally:
        _MERGED.reset(token)


def merged_values(
    layers: Iterable[Any], values: Mapping[Variable, npt.NDArray[Any]]
) -> dict[Variable, npt.NDArray[Any]]:
    """Return values of weights with what stands for them merged in.

    Args:
        layers: the layers that the weights belong to.
        values: the values of one moment, in the ONNX layout.
    """
    parts = {weight: part for weight, part in stand_ins_in(layers).items() if part.merges}
    merged = {weight: part.merged(values) for weight, part in parts.items()}
    return {**values, **merged}


@contextmanager
def merged_in(
    layers: Iterable[Any], values: Mapping[Variable, npt.NDArray[Any]], folder: Path
) -> Iterator[dict[Variable, npt.NDArray[Any]]]:
    """Give values as `merged_values` returns them; where they are large they lie in files.

    Args:
        layers: the layers that the weights belong to.
        values: the values of one moment, in the ONNX layout.
        folder: where the files are made; they go at the end.
    """
    parts = {weight: part for weight, part in stand_ins_in(layers).items() if part.merges}
    if sum(values[weight].nbytes for weight in parts) < APART_FROM:
        yield merged_values(layers, values)
        return
    with TemporaryDirectory(prefix=".seqonnx", dir=folder, ignore_cleanup_errors=True) as place:
        merged = dict(values)
        for number, (weight, part) in enumerate(parts.items()):
            read = {**values, weight: read_array(values[weight])}
            merged[weight] = write_array(part.merged(read), Path(place) / str(number))
        yield merged


def stand_ins_in(layers: Iterable[Any]) -> dict[Variable, StandIn]:
    """Return what stands for weights of layers, and of those inside them."""
    found: dict[Variable, StandIn] = {}
    stack = list(layers)
    while stack:
        layer = stack.pop()
        found |= layer._stand_ins
        stack.extend(layer._inner_layers)
    return found
