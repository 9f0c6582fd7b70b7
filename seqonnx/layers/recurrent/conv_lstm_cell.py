"""ConvLSTMCell: one step of an LSTM whose products are convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, static_shape
from seqonnx.layers.activation.activation import (
    ActivationLike,
    emit_activation,
    get_activation,
)
from seqonnx.layers.base import InputSpec
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.recurrent.cell import KernelCell, forget_bias
from seqonnx.layers.recurrent.dense_cell import split_gates
from seqonnx.layers.recurrent.drawn_masks import drawn_masks
from seqonnx.layers.recurrent.stepwise import Step
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import LAST, channel_axis, check_data_format, spatial_axes
from seqonnx.ops.window import (
    check_padding,
    has_no_output,
    integers,
    padding_attributes,
)
from seqonnx.symbolic import Shape

_GATES = 4


class ConvLSTMCell(KernelCell):
    """One step of an LSTM on images (Shi et al., 2015), for the ConvLSTM layers.

    Inside, channels are first. The state's convolution keeps its size.

    Args:
        rank: number of spatial axes.
        filters: number of channels of the output and of both states.
        kernel_size: size of the windows.
        strides: strides of the input's convolution.
        padding: `"valid"` or `"same"`, of the input's convolution.
        data_format: where the channels are.
        dilation_rate: steps inside the window of the input's convolution.
        activation: function of the new part and of the cell state.
        recurrent_activation: function of the gates.
        use_bias: whether there is a bias.
        unit_forget_bias: whether the forget gate's bias starts at 1.
        options: arguments of `KernelCell` by name.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.
    """

    filters: Setting[int] = Setting(until_built=True)
    kernel_size: Setting[tuple[int, ...]] = Setting(until_built=True)
    strides: Setting[tuple[int, ...]] = Setting(until_built=True)
    padding: Setting[str] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)
    dilation_rate: Setting[tuple[int, ...]] = Setting(until_built=True)
    recurrent_activation: Setting[ActivationLike] = Setting(get_activation)
    unit_forget_bias: Setting[bool] = Setting(bool, until_built=True)

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        recurrent_activation: Any,
        unit_forget_bias: bool,
        options: Sequence[Any],
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(*options, **kwargs)
        self.rank = rank
        (self.filters,) = integers(filters, 1, "filters")
        self.kernel_size = integers(kernel_size, rank, "kernel_size")
        self.strides = integers(strides, rank, "strides")
        self.padding = check_padding(padding, "same", "valid")
        self.data_format = check_data_format(data_format)
        self.dilation_rate = integers(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "Specifying `strides > 1` is not compatible with `dilation_rate > 1`. Please "
                "provide `strides=1` or `dilation_rate=1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = unit_forget_bias
        self._outputs: tuple[int, ...] = ()

    @property
    def state_size(self) -> list[int]:
        """One entry for each state; their shapes are known once the cell is built."""
        return [-1, -1]

    def build(self, input_shape: Shape) -> None:
        """Declare the weights for images of this shape, (batch, …)."""
        InputSpec(ndim=self.rank + 2)._check(input_shape, self.name)
        sizes = [input_shape[axis] for axis in spatial_axes(self.data_format, self.rank)]
        channels = input_shape[channel_axis(self.data_format)]
        if None in sizes:
            raise ValueError(
                "ConvLSTM layers only support static input shapes for the spatial dimension. "
                f"Received invalid input shape: input_shape={input_shape}"
            )
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs (last axis) should be defined. Found None. "
                f"Full input shape received: input_shape={input_shape}"
            )
        if has_no_output(self.padding, sizes, self.kernel_size, self.dilation_rate):
            raise ValueError(
                "Computed output size would be zero or negative. Received: "
                f"input_shape={input_shape}, kernel_size={self.kernel_size}, "
                f"dilation_rate={self.dilation_rate}, padding={self.padding}"
            )
        self._outputs = tuple(
            self._output(size, axis) for axis, size in enumerate(sizes) if size is not None
        )
        start = self.bias_initializer
        self._add_weights(
            (*self.kernel_size, channels, _GATES * self.filters),
            (*self.kernel_size, self.filters, _GATES * self.filters),
            (_GATES * self.filters,),
            forget_bias(start, self.filters) if self.unit_forget_bias else start,
            layout=(self.rank + 1, self.rank, *range(self.rank)),
        )

    def _output(self, size: int, axis: int) -> int:
        """Size of the output along a spatial axis."""
        reach = (self.kernel_size[axis] - 1) * self.dilation_rate[axis]
        cut = size if self.padding == "same" else size - reach
        return -(-cut // self.strides[axis])

    @property
    def _state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.filters, *self._outputs)] * 2

    @property
    def _shown_state_shapes(self) -> list[tuple[int, ...]]:
        if self.data_format != LAST:
            return self._state_shapes
        return [(*self._outputs, self.filters)] * 2

    def _to_inner(self, op: Emitter, x: ir.Value) -> ir.Value:
        if self.data_format != LAST:
            return x
        axes = list(range(len(static_shape(x))))
        first = len(axes) - self.rank - 1
        return op.Transpose(x, perm=[*axes[:first], axes[-1], *axes[first:-1]])

    def _to_outer(self, op: Emitter, x: ir.Value) -> ir.Value:
        if self.data_format != LAST:
            return x
        axes = list(range(len(static_shape(x))))
        first = len(axes) - self.rank - 1
        return op.Transpose(x, perm=[*axes[:first], *axes[first + 1 :], axes[first]])

    def _prepare(self, op: Emitter, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
        part = self._input_part(op, x, training)
        kernel = op.read(self.recurrent_kernel)
        masks = self._masks(op, x, training, self.recurrent_dropout, self._state_shapes[0])
        kernels = split_gates(op, kernel, _GATES, axis=0) if masks else [kernel]

        def step(
            body: Emitter, part: ir.Value, states: list[ir.Value]
        ) -> tuple[ir.Value, list[ir.Value]]:
            h, c = states
            seen = [body.Mul(h, mask) for mask in masks] or [h]
            given = [self._convolve_state(body, *pair) for pair in zip(seen, kernels, strict=True)]
            total = body.Add(part, given[0] if len(given) == 1 else body.Concat(*given, axis=1))
            gates = split_gates(body, total, _GATES, axis=1)
            i, f, o = (
                emit_activation(body, self.recurrent_activation, gates[k], training)
                for k in (0, 1, 3)
            )
            g = emit_activation(body, self.activation, gates[2], training)
            c = body.Add(body.Mul(f, c), body.Mul(i, g))
            h = body.Mul(o, emit_activation(body, self.activation, c, training))
            return h, [h, c]

        return part, step

    def _input_part(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """The share of the inputs in all gates, for one step or for all of them at once."""
        sizes = static_shape(x)
        lead = len(sizes) - self.rank - 1
        kernel = op.read(self.kernel)
        masks = self._masks(op, x, training, self.dropout, sizes[lead:])
        kernels = split_gates(op, kernel, _GATES, axis=0) if masks else [kernel]
        parts = []
        for i, gate in enumerate(kernels):
            seen = op.Mul(x, masks[i]) if masks else x
            images = seen if lead == 1 else op.Reshape(seen, [-1, *sizes[lead:]])
            parts.append(self._convolve(op, images, gate, sizes[lead + 1 :]))
        made = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)
        if self.bias is not None:
            made = op.Add(made, op.Reshape(op.read(self.bias), [-1, *(1 for _ in self._outputs)]))
        if lead == 1:
            return made
        shape = [_GATES * self.filters, *self._outputs]
        whole = op.Concat(op.Shape(x, start=0, end=2), shape, axis=0)
        made = op.Reshape(made, whole, allowzero=1)
        made.shape = ir.Shape([*sizes[:2], *shape])
        return made

    def _convolve(
        self, op: Emitter, x: ir.Value, kernel: ir.Value, sizes: Sequence[Any]
    ) -> ir.Value:
        window, strides, dilations = self.kernel_size, self.strides, self.dilation_rate
        return op.Conv(
            x,
            kernel,
            kernel_shape=list(window),
            strides=list(strides),
            dilations=list(dilations),
            **padding_attributes(self.padding, sizes, window, strides, dilations),
        )

    def _convolve_state(self, op: Emitter, h: ir.Value, kernel: ir.Value) -> ir.Value:
        ones = [1] * self.rank
        return op.Conv(
            h,
            kernel,
            kernel_shape=list(self.kernel_size),
            **padding_attributes("same", self._outputs, self.kernel_size, ones, ones),
        )

    def _masks(
        self, op: Emitter, x: ir.Value, training: bool, rate: float, shape: Sequence[Dim]
    ) -> list[ir.Value]:
        """Masks of an input or a state, one for each gate; none where nothing is dropped."""
        if not training or rate == 0.0:
            return []
        axis = len(static_shape(x)) - self.rank - 2
        return drawn_masks(op, x, shape, rate, _GATES, axis=axis)
