"""Calls of one layer on data: a graph of the layer and nothing else, compiled and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, last_setting
from seqonnx.lowering.pipeline import EAGER, lower
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.symbolic import symbolic_shape

Emit = Callable[[Emitter, list[ir.Value]], Any]


class CallsOnData:
    """The compiled calls of one layer, made anew after a setting has changed.

    Args:
        name: the layer's name, the scope of its nodes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._compiled: SessionCache[Compiled] = SessionCache()

    def run(
        self, arrays: Sequence[npt.NDArray[Any]], mode: Hashable, emit: Emit, seed: int
    ) -> list[npt.NDArray[Any]]:
        """Compute the outputs.

        Args:
            arrays: the data, one array for each input.
            mode: what the nodes depend on besides shapes and dtypes.
            emit: emits the layer on its inputs; returns its output value, or several.
            seed: seed of the noise.
        """
        key = (tuple((array.shape[1:], array.dtype) for array in arrays), mode)
        compiled = self._compiled.get(
            key, last_setting(), lambda: Compiled(_emit_alone(self._name, arrays, emit))
        )
        return compiled.run(arrays, seed=seed)


def _emit_alone(name: str, arrays: Sequence[npt.NDArray[Any]], emit: Emit) -> Emitter:
    """The graph of a layer for data of these shapes and dtypes."""
    op = Emitter(weights_as="input")
    names = ["input"] if len(arrays) == 1 else [f"input_{i}" for i in range(len(arrays))]
    values = [
        op.input(each, dtypes.name_of(array), symbolic_shape(array.shape, each))
        for each, array in zip(names, arrays, strict=True)
    ]
    with op.scope(name):
        result = emit(op, values)
    for value in [result] if isinstance(result, ir.Value) else result:
        op.output(value, name)
    lower(op, EAGER)
    return op
