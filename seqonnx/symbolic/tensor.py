"""Symbolic tensors: inputs and outputs of layers, without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.operable import Valueless, apply_op
from seqonnx.structures import Slot, take_out
from seqonnx.symbolic.arguments import Arguments

Shape = tuple[int | None, ...]


class Emits(Protocol):
    """The side of a layer that the layer graph needs."""

    name: str

    @property
    def _takes_list(self) -> bool:
        """Whether the layer is called on a list of tensors."""

    def _emit(self, op: Emitter, x: Any, training: bool, **named: Any) -> Any:
        """Emit the layer's nodes and return its output, or a structure of several.

        Args:
            op: the emitter.
            x: input value; a list of them for a layer that takes a list, or the structure that a
                user's layer was called on.
            training: whether dropout drops and batch statistics are used.
            **named: further arguments of the call.
        """


class SymbolicTensor(Valueless):
    """A tensor of the layer graph: a shape, a dtype and the call that made it.

    Args:
        shape: sizes with the batch first; None where a size is not fixed.
        dtype: name of the dtype.
        name: name shown to the user; also the name of a graph input.
        call: the layer call that gives this tensor; None for a model input.
        index: its number among the outputs of that call.
        source: the input layer that this tensor stands for; None for what a call gives.

    Example:
        >>> SymbolicTensor((None, 4), "float32", "x")
        <KerasTensor shape=(None, 4), dtype=float32, sparse=False, ragged=False, name=x>
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: str,
        name: str,
        call: LayerCall | None = None,
        *,
        index: int = 0,
        source: Emits | None = None,
    ) -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = dtype
        self.name = name
        self._call = call
        self._index = index
        self._source = source
        self._in_training: SymbolicTensor | None = None
        """The tensor that stands for this output of a model in a training step; None: itself."""

    @property
    def ndim(self) -> int:
        """Rank."""
        return len(self.shape)

    # As in Keras, `==` asks whether it is the same tensor: lists of tensors are searched so.
    def __ne__(self, other: object) -> Any:
        return apply_op("not_equal", self, other)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy; the model that is copied knows the calls in their order."""
        return vars(self) | {"_call": None, "_in_training": None}

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse=False, ragged=False, "
            f"name={self.name}>"
        )


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer on symbolic tensors."""

    layer: Emits
    inputs: tuple[SymbolicTensor, ...]
    index: int
    """How many times the layer had been called before."""
    training: bool | None = None
    """False where the call asked for inference mode in training, too; None for no wish."""
    arguments: Arguments | None = None
    """All arguments, where there is more than one tensor or a flat list of them."""
    result: Any = None
    """The structure that the call gives, with slots for its tensors; None: one, or a flat list."""

    def emit(
        self, op: Emitter, values: Sequence[ir.Value], training: bool
    ) -> tuple[list[ir.Value], Any]:
        """Emit the call in the scope of its layer.

        Args:
            op: the emitter.
            values: graph values of `inputs`.
            training: whether the graph is for a training step.

        Returns:
            All outputs, and what the call gives with slots for them.
        """
        x: Any = list(values) if self.layer._takes_list else values[0]
        named: dict[str, Any] = {}
        if self.arguments is not None:
            x, named = self.arguments.filled(values)
        with op.scope(self.layer.name):
            result = self.layer._emit(op, x, training and self.training is not False, **named)
            if self.result is not None:
                result = _with_values(op, self.result, result)
        outputs: list[ir.Value] = []
        pattern = take_out(result, lambda part: isinstance(part, ir.Value), outputs)
        return outputs, pattern


def _with_values(op: Emitter, noted: Any, result: Any) -> Any:
    """The result of a call with a value wherever a tensor was noted.

    A size that was not known then may be a number in a graph for batches of one size.
    """
    if isinstance(noted, Slot):
        known = isinstance(result, int | float)
        return op.constant(np.asarray(result, np.int32)) if known else result
    if isinstance(noted, Mapping):
        return {key: _with_values(op, part, result[key]) for key, part in noted.items()}
    if type(noted) in {list, tuple}:
        pairs = zip(noted, result, strict=True)
        return type(noted)(_with_values(op, part, own) for part, own in pairs)
    return result


Symbolic = SymbolicTensor | Sequence[SymbolicTensor]
"""The inputs of a call that extends a model."""
