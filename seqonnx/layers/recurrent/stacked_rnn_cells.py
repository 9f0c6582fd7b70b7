"""StackedRNNCells: cells one above the other, as one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.held import as_layer, held_entry
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.recurrent.states import flatten, packed
from seqonnx.symbolic import Shape


@register("layer")
class StackedRNNCells(Layer):
    """Cells of which each gets the output of the one before, for `RNN` to repeat.

    Args:
        cells: the cells.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if one is no cell.

    Example:
        >>> RNN(StackedRNNCells([LSTMCell(4), GRUCell(3)]))(np.zeros((2, 3, 5))).shape
        (2, 3)
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.cells = [_checked(cell) for cell in cells]

    @property
    def state_size(self) -> list[Any]:
        """Sizes of the states of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """Size of the output: that of the last cell."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        """Build each cell for the output of the one before."""
        for cell in self.cells:
            cell._build_for(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(self, op: Emitter, x: ir.Value, training: bool, states: Any = None) -> list[ir.Value]:
        """Emit one step of all cells.

        Args:
            op: emitter.
            x: input of the step, batch first.
            training: whether dropout drops.
            states: a state, or a list of states, for each cell; default zeros.

        Returns:
            The output of the last cell, then the new states of all.
        """
        made: list[ir.Value] = []
        given = [None] * len(self.cells) if states is None else states
        for cell, old in zip(self.cells, given, strict=True):
            named = {} if old is None else {"states": as_list(old)}
            with op.scope(cell.name):
                result = cell._emit(op, x, training, **named)
            x, *new = flatten(result)
            made += new
        return [x, *made]

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return the output and the states, a list for each cell."""
        return values[0], packed(self.state_size, values[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        cells = [held_entry(cell) for cell in self.cells]
        return super().get_config() | {"cells": cells}


def output_size(cell: Any) -> Any:
    """Return the size of a cell's output: that of its first state, where it does not say."""
    size = getattr(cell, "output_size", None)
    return flatten(cell.state_size)[0] if size is None else size


def as_list(states: Any) -> list[Any]:
    """Return the states of a cell as it gets them: a list, also of one."""
    return states if isinstance(states, list) else [states]


def _checked(cell: Any) -> Any:
    """A cell, from its configuration where it is given as that."""
    cell = as_layer(cell)
    if "call" not in dir(cell):
        raise ValueError(
            f"All cells must have a `call` method. Received cell without a `call` method: {cell}"
        )
    if "state_size" not in dir(cell):
        raise ValueError(
            "All cells must have a `state_size` attribute. Received cell without a "
            f"`state_size`: {cell}"
        )
    if not isinstance(cell, Layer):
        raise ValueError(f"All cells must be layers. Received: {cell} of {type(cell).__name__}")
    return cell
