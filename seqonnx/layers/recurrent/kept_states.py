"""States that a layer keeps from one batch to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable, assign_together
from seqonnx.graph.signatures import spelling_of
from seqonnx.layers.recurrent.cell import KernelCell
from seqonnx.layers.recurrent.states import flatten
from seqonnx.symbolic import Shape

_NAMES = {1: ("state_h",), 2: ("state_h", "state_c")}
"""Names of the states, as many as an LSTM or a GRU has."""


class KeptStates:
    """Variables that every run of a layer replaces; they are no weights.

    Args:
        cell: the cell, built.
        input_shape: shape of the sequences, with a fixed batch.
        path: path of the layer.
        dtype: dtype of the states.

    Raises:
        ValueError: if the batch is not fixed.
    """

    def __init__(self, cell: Any, input_shape: Shape, path: str, dtype: str) -> None:
        batch = input_shape[0]
        if batch is None:
            raise ValueError(
                "When using `stateful=True` in a RNN, the batch size must be static. Found "
                f"dynamic batch size: sequence.shape={tuple(input_shape)}"
            )
        self._batch = batch
        values = _first_values(cell, batch, dtype)
        names = _NAMES.get(len(values)) or [f"state_{i}" for i in range(len(values))]
        self.variables = [
            Variable(value, name, trainable=False, path=f"{path}/{name}")
            for value, name in zip(values, names, strict=True)
        ]

    def check(self, shape: Shape) -> None:
        """Raise a ValueError if sequences of a shape are not as many as the states."""
        if shape[0] not in {None, self._batch}:
            raise ValueError(
                "If an RNN is stateful, the batch size of the input sequences must be the same as "
                f"the batch size of the initial state. \n- Expected batch size: {self._batch}\n"
                f"- Received batch size: {shape[0]}"
            )

    def read(self, op: Emitter, dtype: str) -> list[ir.Value]:
        """Return the states that the batch starts with."""
        found = (op.updates.get(v) or op.read(v) for v in self.variables)
        return [op.cast(value, dtype) for value in found]

    def update(self, op: Emitter, states: Sequence[ir.Value]) -> None:
        """Say that the next batch starts with these."""
        for variable, value in zip(self.variables, states, strict=True):
            op.update(variable, value)

    def reset(self) -> None:
        """Set them to zeros."""
        assign_together((v, np.zeros(v.shape, v.dtype)) for v in self.variables)


def _first_values(cell: Any, batch: int, dtype: str) -> list[npt.NDArray[Any]]:
    """Values before the first batch: those that the cell tells, or zeros."""
    if isinstance(cell, KernelCell):
        return [np.zeros((batch, *shape), dtype) for shape in _shapes(cell._shown_state_shapes)]
    own = getattr(cell, "get_initial_state", None)
    if own is not None and not spelling_of(own).emits:
        return [np.asarray(state, dtype) for state in flatten(own(batch_size=batch))]
    cells = getattr(cell, "cells", None)
    if cells is not None:
        return [value for each in cells for value in _first_values(each, batch, dtype)]
    return [np.zeros((batch, *shape), dtype) for shape in _shapes(cell.state_size)]


def _shapes(sizes: Any) -> list[tuple[int, ...]]:
    """The shapes of states without the batch."""
    if isinstance(sizes, list):
        return [shape for size in sizes for shape in _shapes(size)]
    return [sizes if isinstance(sizes, tuple) else (sizes,)]
