"""Calls of one layer on data: a graph of the layer and nothing else, compiled and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, last_setting
from seqonnx.lowering.pipeline import EAGER, lower
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.structures import take_out
from seqonnx.symbolic import BATCH

Emit = Callable[[Emitter, list[ir.Value]], Any]


class CallsOnData:
    """The compiled calls of one layer, made anew after a setting has changed.

    Args:
        name: the layer's name, the scope of its nodes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._compiled: SessionCache[_Alone] = SessionCache()

    def run(
        self, arrays: Sequence[npt.NDArray[Any]], mode: Hashable, emit: Emit, seed: int
    ) -> tuple[Any, list[npt.NDArray[Any]]]:
        """Compute the outputs.

        Args:
            arrays: the data, one array for each input.
            mode: what the nodes depend on besides shapes and dtypes.
            emit: emits the layer on its inputs; returns its output value, or a structure of them.
            seed: seed of the noise.

        Returns:
            What `emit` has returned, with slots in the place of its values; and their arrays.
        """
        sizes = _free_batch(arrays)
        key = (tuple(zip(sizes, (array.dtype for array in arrays), strict=True)), mode)

        def make() -> _Alone:
            op, pattern = _emit_alone(self._name, arrays, sizes, emit)
            return _Alone(Compiled(op), pattern)

        alone = self._compiled.get(key, last_setting(), make)
        return alone.pattern, alone.compiled.run(arrays, seed=seed)


def run_alone(
    calls: CallsOnData,
    arrays: Sequence[npt.NDArray[Any]],
    mode: Hashable,
    emit: Callable[[Emitter, list[ir.Value]], ir.Value],
) -> npt.NDArray[Any]:
    """Compute the one output of what a layer emits for arrays that it has prepared itself.

    Args:
        calls: the compiled calls of the layer.
        arrays: the inputs of the graph.
        mode: what the nodes depend on besides shapes and dtypes.
        emit: emits the nodes.
    """
    _, (result,) = calls.run(arrays, mode, emit, seed=0)
    return result


class _Alone(NamedTuple):
    """A compiled call and the structure of what it gives."""

    compiled: Compiled
    pattern: Any

    @property
    def inherited(self) -> bool:
        """Whether a parent process has opened the session (see `SessionCache`)."""
        return self.compiled.inherited


def _free_batch(arrays: Sequence[npt.NDArray[Any]]) -> list[tuple[int | None, ...]]:
    """Shapes with a free first size, where it is the batch: that of the first array."""
    batch = arrays[0].shape[:1] if len(arrays) > 0 else ()
    return [(None, *a.shape[1:]) if a.shape[:1] == batch != () else a.shape for a in arrays]


def _emit_alone(
    name: str,
    arrays: Sequence[npt.NDArray[Any]],
    sizes: Sequence[tuple[int | None, ...]],
    emit: Emit,
) -> tuple[Emitter, Any]:
    """The graph of a layer for data of these shapes and dtypes; and the structure it gives."""
    op = Emitter(weights_as="input")
    names = ["input"] if len(arrays) == 1 else [f"input_{i}" for i in range(len(arrays))]
    values = [
        op.input(each, dtypes.name_of(array), [BATCH if size is None else size for size in shape])
        for each, array, shape in zip(names, arrays, sizes, strict=True)
    ]
    with op.scope(name):
        result = emit(op, values)
    outputs: list[ir.Value] = []
    pattern = take_out(result, lambda part: isinstance(part, ir.Value), outputs)
    for value in outputs:
        op.output(value, name)
    lower(op, EAGER)
    return op, pattern
