"""EinsumDense: sums of products over axes that an equation names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.initializers import Initializer, VarianceScaling
from seqonnx.layers.activation.activation import emit_activation
from seqonnx.layers.base import InputSpec
from seqonnx.layers.convolution.kernel import KernelLayer
from seqonnx.layers.core.einsum_equation import Equation, Kernel
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


@register("layer")
class EinsumDense(KernelLayer):
    """activation(einsum(equation, x, kernel) + bias).

    Args:
        equation: such as `"abc,cd->abd"`, `"...x,xy->...y"` or `"ab...,bc->ac..."`.
        output_shape: sizes of the output without the batch and the axes of an ellipsis; None
            where a size is the input's; an int stands for one size.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        bias_axes: letters of the output along which the bias differs; None for no bias.
        kernel_initializer: first value of the kernel, whose axes are those of the equation.
        bias_initializer: first value of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the equation is not legal, or does not fit the sizes.

    Example:
        >>> EinsumDense("abc,cd->abd", (None, 2), bias_axes="d")(np.zeros((1, 3, 4))).shape
        (1, 3, 2)
    """

    equation: Setting[str] = Setting(until_built=True)
    partial_output_shape: Setting[tuple[int | None, ...]] = Setting(until_built=True)
    bias_axes: Setting[str | None] = Setting(until_built=True)

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            activation,
            bool(bias_axes),
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )
        Equation.parse(equation)
        self.equation = equation
        sizes = plain_value(output_shape)
        self.partial_output_shape = (sizes,) if isinstance(sizes, int) else tuple(sizes)
        self.bias_axes = bias_axes

    @property
    def _working_dtype(self) -> str:
        """Einsum takes no bfloat16."""
        return "float32" if self.compute_dtype == "bfloat16" else self.compute_dtype

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        equation, partial = Equation.parse(self.equation), self.partial_output_shape
        kernel = equation.kernel_of(input_shape, partial)
        axes = self.bias_axes
        self._add_kernel_and_bias(
            kernel.shape,
            equation.bias_shape(input_shape, partial, axes) if axes else (),
            initializer=_for_axes(self.kernel_initializer, kernel),
        )
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit an Einsum, and an Add for the bias."""
        equation = Equation.parse(self.equation).spelled(len(static_shape(x)))
        y = op.Einsum(x, self.kernel, equation=equation)
        if self.bias is not None:
            y = op.Add(y, self.bias)
        return emit_activation(op, self.activation, y, training)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config() | {"output_shape": list(self.partial_output_shape)}
        del config["use_bias"]
        return config


def _for_axes(initializer: Initializer, kernel: Kernel) -> Callable[..., npt.NDArray[Any]]:
    """An initializer that scales by the size of a unit, told which axes are its inputs."""
    if not isinstance(initializer, VarianceScaling) or initializer.input_axes is not None:
        return initializer

    def drawn(shape: Sequence[int], dtype: str) -> npt.NDArray[Any]:
        fans = [math.prod(shape[axis] for axis in axes) for axes in (kernel.inputs, kernel.outputs)]
        value: npt.NDArray[Any] = initializer(fans, dtype)
        return value.reshape(shape)

    return drawn
