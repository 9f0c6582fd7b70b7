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
from seqonnx.layers.quantizable import Quantizable
from seqonnx.layers.quantized_forms import WeightAxes
from seqonnx.layers.setting import Setting
from seqonnx.quantizers import QuantizationConfig
from seqonnx.symbolic import Shape


@register("layer")
class EinsumDense(KernelLayer, Quantizable):
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
        lora_rank: rank of an adapter that trains in the place of the kernel; see `enable_lora`.
        lora_alpha: the adapter is multiplied by `lora_alpha / lora_rank`; default `lora_rank`.
        gptq_unpacked_column_size: must be None: belongs to a form of quantised weights.
        quantization_config: how weights and inputs become integers, where `dtype` is one such as
            `"int8_from_float32"` or `quantize` is called; default: as the form has it.
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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: None = None,
        quantization_config: QuantizationConfig | None = None,
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
        self._ask_for_adapter(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        if gptq_unpacked_column_size is not None:
            raise ValueError(
                f"`gptq_unpacked_column_size` of layer '{self.name}' must be None: it belongs to "
                "GPTQ, and quantised weights here are int8 or int4. "
                f"Received: gptq_unpacked_column_size={gptq_unpacked_column_size!r}"
            )

    @property
    def _working_dtype(self) -> str:
        """Einsum takes no bfloat16."""
        return "float32" if self.compute_dtype == "bfloat16" else self.compute_dtype

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        equation, partial = Equation.parse(self.equation), self.partial_output_shape
        kernel = equation.kernel_of(input_shape, partial)
        axes = self.bias_axes
        units = equation.bias_shape(input_shape, partial, axes) if axes else ()
        self.input_spec = InputSpec(ndim=len(input_shape))
        if self.quantization_mode is None:
            initializer = _for_axes(self.kernel_initializer, kernel)
            self._add_kernel_and_bias(kernel.shape, units, initializer=initializer)
        else:
            self._add_bias(units)
            self._build_quantized(tuple(int(size or 0) for size in kernel.shape))
        self._adapt_from_the_start()

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit an Einsum, and an Add for the bias."""
        equation = Equation.parse(self.equation).spelled(len(static_shape(x)))
        if self._quantized is None:
            y = op.Einsum(x, self.kernel, equation=equation)
        else:
            before, after = equation.split("->")
            given = before.partition(",")[0]
            axes = [i for i, letter in enumerate(given) if letter not in after]
            y = self._product(
                *(op, x, self._quantized, axes),
                lambda data, kernel: op.Einsum(data, kernel, equation=equation),
            )
        if self.bias is not None:
            y = op.Add(y, self.bias)
        return emit_activation(op, self.activation, y, training)

    def _layout(self, shape: tuple[int, ...]) -> WeightAxes:
        before, after = Equation.parse(self.equation).spelled(self.input_spec.ndim).split("->")
        kernel = before.partition(",")[2]
        reduced = tuple(i for i, letter in enumerate(kernel) if letter not in after)
        return WeightAxes(shape, reduced, tuple(kernel.find(letter) for letter in after))

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
