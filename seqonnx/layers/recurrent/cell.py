"""The base of Keras's cells: an input kernel, a recurrent kernel, a bias, and what drops them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import constraints, initializers, regularizers
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.convolution.kernel import KernelLayer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.recurrent.native import Native
from seqonnx.layers.recurrent.states import flatten, zero_states
from seqonnx.layers.recurrent.stepwise import Step
from seqonnx.layers.setting import Setting


def share(value: Any) -> float:
    """Return a share that is dropped, cut to what lies between 0 and 1 as Keras does.

    Example:
        >>> share(1.5)
        1.0
    """
    return min(1.0, max(0.0, float(value)))


class KernelCell(KernelLayer):
    """Base of the cells of Keras.

    What a step does to its input needs nothing of the steps before: it is done for all steps at
    once, before the recurrence.

    Args:
        activation: see `get_activation`.
        use_bias: whether there is a bias.
        kernel_initializer: first value of the kernel.
        recurrent_initializer: first value of the recurrent kernel.
        bias_initializer: first value of the bias.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: limits of the kernel.
        recurrent_constraint: limits of the recurrent kernel.
        bias_constraint: limits of the bias.
        dropout: share of the inputs that is dropped in training, the same at every step.
        recurrent_dropout: share of the states that is dropped on their way to the gates.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.
    """

    recurrent_regularizer: Setting[regularizers.Regularizer | None] = Setting(
        regularizers.get, until_built=True
    )
    recurrent_constraint: Setting[constraints.Constraint | None] = Setting(
        constraints.get, until_built=True
    )
    seed = OwnSeed()
    dropout: Setting[float] = Setting(share)
    recurrent_dropout: Setting[float] = Setting(share)

    def __init__(
        self,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            *(activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer),
            *(bias_regularizer, kernel_constraint, bias_constraint),
            **kwargs,
        )
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.recurrent_regularizer = recurrent_regularizer
        self.recurrent_constraint = recurrent_constraint
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self._recurrent_kernel: Variable | None = None

    @property
    def state_size(self) -> Any:
        """Size of the state, or a list of the sizes of several."""
        raise NotImplementedError(f"{type(self).__name__} does not define `state_size`.")

    @property
    def recurrent_kernel(self) -> Variable:
        """The recurrent kernel.

        Raises:
            AttributeError: before the layer is built.
        """
        if self._recurrent_kernel is None:
            raise AttributeError("You must build the layer before accessing `recurrent_kernel`.")
        return self._recurrent_kernel

    def get_initial_state(self, batch_size: int) -> list[npt.NDArray[Any]]:
        """Return the states before the first step: zeros."""
        return [
            np.zeros((batch_size, size), self.compute_dtype) for size in flatten(self.state_size)
        ]

    def call(
        self, op: Emitter, x: ir.Value, training: bool, states: Sequence[ir.Value] | None = None
    ) -> list[ir.Value]:
        """Emit one step.

        Args:
            op: emitter.
            x: input of the step, batch first.
            training: whether dropout drops.
            states: states before the step; default zeros.

        Returns:
            The output, then the new states.
        """
        if states is None:
            old = zero_states(op, x, self._state_shapes, self._working_dtype)
        else:
            old = [self._to_inner(op, state) for state in flatten(states)]
        part, step = self._prepare(op, self._to_inner(op, x), training)
        output, new = step(op, part, old)
        return [self._to_outer(op, value) for value in (output, *new)]

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return the output and the list of the new states."""
        return values[0], list(values[1:])

    def _prepare(self, op: Emitter, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
        """Emit what a step does to its input, and return how it goes on from there.

        Args:
            op: emitter.
            x: input of a step, batch first, or of all steps, time first.
            training: whether dropout drops.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define its step.")

    @property
    def _state_shapes(self) -> Any:
        """Sizes of the states in the layout that `_prepare` works in; a tuple is a shape."""
        return self.state_size

    @property
    def _shown_state_shapes(self) -> Any:
        """Sizes of the states in the layout that the layer shows; a tuple is a shape."""
        return self._state_shapes

    def _to_inner(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Return an input or a state in the layout that `_prepare` works in."""
        return x

    def _to_outer(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Return an output or a state in the layout that the layer shows."""
        return x

    def _is_native(self, training: bool) -> bool:
        """Whether ONNX has an operator that does what the cell does."""
        return False

    def _native(self, op: Emitter) -> Native:
        """Emit the weights for ONNX's own operator."""
        raise NotImplementedError(f"There is no operator for {type(self).__name__}.")

    @property
    def _working_dtype(self) -> str:
        """A recurrence adds up rounding errors, and ONNX Runtime has its operators in float32."""
        return "float32" if self.compute_dtype in {"float16", "bfloat16"} else self.compute_dtype

    def _add_weights(
        self,
        kernel: Sequence[int | None],
        recurrent_kernel: Sequence[int],
        bias: Sequence[int],
        bias_initializer: Any,
        layout: Sequence[int] | None = None,
    ) -> None:
        """Declare both kernels, then the bias if there is one.

        Args:
            kernel: shape of the kernel in the Keras layout.
            recurrent_kernel: shape of the recurrent kernel in the Keras layout.
            bias: shape of the bias.
            bias_initializer: first value of the bias.
            layout: see `Layer.add_weight`, for both kernels.
        """
        self._kernel = self.add_weight(
            kernel,
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            layout=layout,
        )
        self._recurrent_kernel = self.add_weight(
            recurrent_kernel,
            self.recurrent_initializer,
            name="recurrent_kernel",
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            layout=layout,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                bias,
                bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )


def forget_bias(initializer: Any, units: int) -> Any:
    """Return an initializer of an LSTM's bias that starts the forget gate at 1.

    Args:
        initializer: first value of the other gates' part.
        units: size of a part.
    """

    def start(shape: Sequence[int], dtype: str = "float32") -> npt.NDArray[Any]:
        first, rest = initializer((units,), dtype), initializer((2 * units,), dtype)
        return np.concatenate([first, np.ones(units, first.dtype), rest])

    return start
