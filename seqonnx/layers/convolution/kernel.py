"""The base of layers with a kernel: kernel, bias, activation and their options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from seqonnx import constraints, initializers, regularizers
from seqonnx.graph import Variable
from seqonnx.layers.activation.activation import (
    ActivationLike,
    get_activation,
)
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting


class KernelLayer(Layer):
    """Base of the layers with a kernel, a bias and an activation.

    Args:
        activation: see `get_activation`.
        use_bias: whether there is a bias.
        kernel_initializer: first value of the kernel.
        bias_initializer: first value of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        **kwargs: see `Layer`.
    """

    _casts_integers = True

    activation: Setting[ActivationLike] = Setting(get_activation)
    use_bias: Setting[bool] = Setting(bool, until_built=True)
    kernel_regularizer: Setting[regularizers.Regularizer | None] = Setting(
        regularizers.get, until_built=True
    )
    bias_regularizer: Setting[regularizers.Regularizer | None] = Setting(
        regularizers.get, until_built=True
    )
    kernel_constraint: Setting[constraints.Constraint | None] = Setting(
        constraints.get, until_built=True
    )
    bias_constraint: Setting[constraints.Constraint | None] = Setting(
        constraints.get, until_built=True
    )

    def __init__(
        self,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activation
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.bias: Variable | None = None
        self._kernel: Variable | None = None

    @property
    def kernel(self) -> Variable:
        """The kernel.

        Raises:
            AttributeError: before the layer is built.
        """
        if self._kernel is None:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def _add_kernel_and_bias(
        self,
        shape: Sequence[int | None],
        units: int | Sequence[int | None],
        layout: Sequence[int] | None = None,
        name: str = "kernel",
        initializer: Any = None,
    ) -> None:
        """Declare the kernel, and the bias if there is one.

        Args:
            shape: shape of the kernel in the Keras layout.
            units: size of the bias, or its shape.
            layout: see `Layer.add_weight`.
            name: name of the kernel.
            initializer: first value of the kernel; default the layer's.
        """
        self._kernel = self.add_weight(
            shape,
            self.kernel_initializer if initializer is None else initializer,
            name=name,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            layout=layout,
        )
        self._add_bias(units)

    def _add_bias(self, units: int | Sequence[int | None]) -> None:
        """Declare the bias, if there is one.

        Args:
            units: its size, or its shape.
        """
        if self.use_bias:
            self.bias = self.add_weight(
                units,
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
