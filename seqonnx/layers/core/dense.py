"""Dense: every output is a weighted sum of all inputs."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.activation.activation import emit_activation
from seqonnx.layers.base import InputSpec
from seqonnx.layers.convolution.kernel import KernelLayer
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.quantizable import Quantizable
from seqonnx.layers.quantized_forms import WeightAxes
from seqonnx.layers.setting import Setting
from seqonnx.quantizers import QuantizationConfig
from seqonnx.symbolic import Shape


@register("layer")
class Dense(KernelLayer, Quantizable):
    """activation(x @ kernel + bias) along the last axis.

    Args:
        units: number of outputs.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        kernel_initializer: first value of the kernel, of shape (inputs, units).
        bias_initializer: first value of the bias, of shape (units,).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        lora_rank: rank of an adapter that trains in the place of the kernel; see `enable_lora`.
        lora_alpha: the adapter is multiplied by `lora_alpha / lora_rank`; default `lora_rank`.
        quantization_config: how weights and inputs become integers, where `dtype` is one such as
            `"int8_from_float32"` or `quantize` is called; default: as the form has it.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `units` is not a positive integer.

    Example:
        >>> Dense(2, kernel_initializer="ones")([[1.0, 2.0, 3.0]]).tolist()
        [[6.0, 6.0]]
    """

    supports_masking = True

    units: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            kernel_constraint,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        if not isinstance(units, int | np.integer) or units <= 0:
            raise ValueError(
                "Received an invalid value for `units`, expected a positive integer. "
                f"Received: units={units}"
            )
        self.units = int(units)
        self._ask_for_adapter(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        inputs = input_shape[-1]
        if self.quantization_mode is None:
            self._add_kernel_and_bias((inputs, self.units), self.units)
        else:
            self._add_bias(self.units)
            self._build_quantized((int(inputs or 0), self.units))
        self.input_spec = InputSpec(min_ndim=2, axes={-1: int(inputs or 0)})
        self._adapt_from_the_start()

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit one Gemm for a matrix, else MatMul and Add."""
        if self._quantized is not None:
            y = self._product(op, x, self._quantized, -1, op.MatMul)
            y = y if self.bias is None else op.Add(y, self.bias)
        elif self.bias is None:
            y = op.MatMul(x, self.kernel)
        elif len(static_shape(x)) == 2:
            y = op.Gemm(x, self.kernel, self.bias)
        else:
            y = op.Add(op.MatMul(x, self.kernel), self.bias)
        return emit_activation(op, self.activation, y, training)

    def _layout(self, shape: tuple[int, ...]) -> WeightAxes:
        return WeightAxes(shape, (0,), (1,))
