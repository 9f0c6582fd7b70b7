"""RNN: a cell repeated over the steps of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.held import as_layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.precision import cast_floats
from seqonnx.layers.recurrent.kept_states import KeptStates
from seqonnx.layers.recurrent.masked import flipped
from seqonnx.layers.recurrent.recurrence import Sequences, repeat_cell
from seqonnx.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from seqonnx.layers.recurrent.states import flatten, packed
from seqonnx.layers.recurrent.stepwise import StepsTaken, StepWalk
from seqonnx.layers.setting import Setting
from seqonnx.regularizers import activity_penalty
from seqonnx.symbolic import Shape


class RecurrentLayer(Layer):
    """Base of the layers that repeat a cell over the steps of sequences.

    Args:
        cell: the cell.
        return_sequences: whether the outputs of all steps are returned, not only the last one.
        return_state: whether the last states are returned behind the output.
        go_backwards: whether the walk starts at the last step; outputs are in the walk's order.
        stateful: whether a batch starts with the states in which the batch before it ended.
        unroll: whether steps are written out where ONNX has no operator for the cell.
        zero_output_for_mask: whether the output of a masked step is zeros, not the one before.
        **kwargs: see `Layer`.
    """

    return_sequences: Setting[bool] = Setting(bool)
    return_state: Setting[bool] = Setting(bool)
    go_backwards: Setting[bool] = Setting(bool)
    stateful: Setting[bool] = Setting(bool, until_built=True)
    unroll: Setting[bool] = Setting(bool)
    zero_output_for_mask: Setting[bool] = Setting(bool)

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self._kept: KeptStates | None = None

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the sequences for the outputs of all steps; others have none."""
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        output = mask if self.return_sequences else None
        return [output, *(None for _ in flatten(self.state_size))] if self.return_state else output

    @property
    def state_size(self) -> list[Any]:
        """Sizes of the states, in a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, list | tuple) else [size]

    def build(self, input_shape: Shape) -> None:
        """Build the cell; make the states of a layer that keeps them."""
        self.cell._build_for((input_shape[0], *input_shape[2:]))
        if self.stateful:
            self._kept = KeptStates(self.cell, input_shape, self.path, self.dtype)

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Build for an input shape; check the batch against that of the states."""
        super()._build_for(shape, **others)
        if self._kept is not None:
            self._kept.check(shape)

    @property
    def states(self) -> list[Any] | None:
        """The states that the next batch starts with; None for a layer that keeps none."""
        if self._kept is None:
            return None
        return list(packed(self.state_size, self._kept.variables))

    def reset_state(self) -> None:
        """Set the states that the layer keeps to zeros."""
        if self._kept is not None:
            self._kept.reset()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def call(
        self,
        op: Emitter,
        x: ir.Value,
        training: bool,
        initial_state: Any = None,
        mask: ir.Value | None = None,
    ) -> Any:
        """Emit the recurrence.

        Args:
            op: emitter.
            x: sequences, (batch, time, …).
            training: whether dropout drops.
            mask: true at valid steps, (batch, time); None: all are.
            initial_state: states before the first step; default zeros.

        Returns:
            The output; a list of it and the last states with `return_state`.

        Raises:
            ValueError: if steps are to be written out and their number is not known.
        """
        walked = self._walk(op, x, training, mask, initial_state)
        output = walked.last
        if walked.outputs is not None:
            output = walked.outputs
            if self.go_backwards:
                output = flipped(op, output, 1)
        return [output, *walked.states] if self.return_state else output

    def _emit_in_time_order(
        self,
        op: Emitter,
        x: ir.Value,
        training: bool,
        mask: ir.Value | None,
        initial_state: Any,
    ) -> list[ir.Value]:
        """Emit the layer (see `call`) with the outputs of all steps in the order of time."""
        inside = self._working_dtype
        with op.computing_in(inside):
            x, initial_state = cast_floats(op, x, inside), cast_floats(op, initial_state, inside)
            walked = self._walk(op, x, training, mask, initial_state)
        output = walked.last if walked.outputs is None else walked.outputs
        states = walked.states if self.return_state else []
        made: list[ir.Value] = cast_floats(op, [output, *states], self.compute_dtype)
        if self.activity_regularizer is not None:
            for part in made:
                value = op.cast(part, dtypes.widened(dtype_name(part)))
                op.add_loss(activity_penalty(op, self.activity_regularizer, value))
        return made

    def _walk(
        self,
        op: Emitter,
        x: ir.Value,
        training: bool,
        mask: ir.Value | None = None,
        initial_state: Any = None,
    ) -> StepsTaken:
        """Emit the recurrence; its outputs are in the order of time."""
        self._check_steps(x)
        self._check_native(training)
        initial = None
        if initial_state is not None:
            initial = [op.cast(state, dtype_name(x)) for state in flatten(initial_state)]
            self._check_initial(initial)
        elif self._kept is not None:
            initial = self._kept.read(op, dtype_name(x))
        given = Sequences(x, mask, initial, training)
        how = StepWalk(
            backwards=self.go_backwards,
            unroll=self.unroll,
            keep=self.return_sequences,
            zero=self.zero_output_for_mask,
        )
        walked = repeat_cell(op, self.cell, given, how)
        if self._kept is not None:
            self._kept.update(op, walked.states)
        return walked

    def _check_initial(self, initial: Sequence[ir.Value]) -> None:
        wanted = len(flatten(self.state_size))
        if len(initial) != wanted:
            raise ValueError(
                f"Layer '{self.name}' has {wanted} state(s): `initial_state` must be a list of as "
                f"many tensors. Received: {len(initial)}, of shapes "
                f"{[tuple(static_shape(state)) for state in initial]}"
            )

    def _check_steps(self, x: ir.Value) -> None:
        if self.unroll and not isinstance(static_shape(x)[1], int):
            raise ValueError(
                "Cannot unroll a RNN if the time dimension is undefined. \n"
                "- If using a Sequential model, specify the time dimension by passing an `Input()` "
                "as your first layer.\n"
                "- If using the functional API, specify the time dimension by passing a `shape` or "
                f"`batch_shape` argument to your `Input()`. Layer: '{self.name}'."
            )

    def _check_native(self, training: bool) -> None:
        """Raise a ValueError if ONNX's own operator is asked for, and there is none."""

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return the output, or a list of it and the states."""
        if len(values) == 1:
            return values[0]
        return [values[0], *packed(self.state_size, values[1:])]

    @property
    def _working_dtype(self) -> str:
        """A recurrence adds up rounding errors, and ONNX Runtime has its operators in float32."""
        return "float32" if self.compute_dtype in {"float16", "bfloat16"} else self.compute_dtype


@register("layer")
class RNN(RecurrentLayer):
    """Repeats a cell over the steps of sequences.

    A cell is a layer with a `state_size` (an int, or a list of one for each state) whose
    `call(self, op, x, training, states)` emits one step and returns the output and the new
    states. It may have an `output_size`; default the first state's.

    Args:
        cell: the cell, or a list of cells, each of which gets the outputs of the one before.
        return_sequences: whether the outputs of all steps are returned, not only the last one.
        return_state: whether the last states are returned behind the output.
        go_backwards: whether the walk starts at the last step; outputs are in the walk's order.
        stateful: whether a batch starts with the states in which the batch before it ended.
        unroll: whether steps are written out where ONNX has no operator for the cell.
        zero_output_for_mask: whether the output of a masked step is zeros, not the one before.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the cell is none.

    Example:
        >>> RNN(GRUCell(3), return_sequences=True)(np.zeros((2, 4, 5))).shape
        (2, 4, 3)
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            *(_cell(cell), return_sequences, return_state, go_backwards),
            *(stateful, unroll, zero_output_for_mask),
            **kwargs,
        )


def _cell(cell: Any) -> Any:
    """The cell that an argument stands for.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(cell, list | tuple):
        cell = StackedRNNCells(cell)
    cell = as_layer(cell)
    if "call" not in dir(cell):
        raise ValueError(f"Argument `cell` should have a `call` method. Received: cell={cell}")
    if "state_size" not in dir(cell):
        raise ValueError(
            "The RNN cell should have a `state_size` attribute (single integer or list of "
            f"integers, one integer per RNN state). Received: cell={cell}"
        )
    if not isinstance(cell, Layer):
        raise ValueError(
            "Argument `cell` should be a layer, such as a subclass of `Layer` whose `call` takes "
            f"`states`. Received: cell={cell} of type {type(cell).__name__}"
        )
    size = getattr(cell, "state_size", None)
    if size is None:
        raise ValueError("state_size must be specified as property on the RNN cell.")
    if not isinstance(size, list | tuple | int):
        raise ValueError(
            "state_size must be an integer, or a list/tuple of integers (one for each state "
            f"tensor). Received: state_size={size}"
        )
    return cell
