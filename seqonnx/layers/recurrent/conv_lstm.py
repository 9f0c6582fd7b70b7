"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: an LSTM on sequences of images."""

from __future__ import annotations

from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.layers.base import InputSpec
from seqonnx.layers.recurrent.conv_lstm_cell import ConvLSTMCell
from seqonnx.layers.recurrent.of_cell import (
    FromCell,
    LayerOfCell,
    UnrolledOptions,
    cell_options,
)


class _ConvLSTM(LayerOfCell):
    """Base of the ConvLSTM layers."""

    filters: FromCell[int] = FromCell()
    kernel_size: FromCell[tuple[int, ...]] = FromCell()
    strides: FromCell[tuple[int, ...]] = FromCell()
    padding: FromCell[str] = FromCell()
    data_format: FromCell[str] = FromCell()
    dilation_rate: FromCell[tuple[int, ...]] = FromCell()
    recurrent_activation: FromCell[Any] = FromCell()
    unit_forget_bias: FromCell[bool] = FromCell()

    _rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[UnrolledOptions],
    ) -> None:
        options = (
            *(activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout, seed),
        )
        cell = ConvLSTMCell(
            *(self._rank, filters, kernel_size, strides, padding, data_format, dilation_rate),
            *(recurrent_activation, unit_forget_bias, options),
            name="conv_lstm_cell",
            **cell_options(kwargs),
        )
        super().__init__(
            *(cell, return_sequences, return_state, go_backwards, stateful),
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self._rank + 3)


@register("layer")
class ConvLSTM1D(_ConvLSTM):
    """An LSTM on sequences of rows, (batch, time, width, channels); see `ConvLSTM2D`.

    Example:
        >>> ConvLSTM1D(4, 3, padding="same")(np.zeros((2, 3, 8, 5))).shape
        (2, 8, 4)
    """

    _rank = 1


@register("layer")
class ConvLSTM2D(_ConvLSTM):
    """An LSTM on sequences of images, whose products are convolutions (Shi et al., 2015).

    Args:
        filters: number of channels of the output and of both states.
        kernel_size: height and width of the windows, or one int for both.
        strides: strides of the input's convolution; the state's has none.
        padding: `"valid"` or `"same"`, of the input's convolution; the state's is `"same"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: steps inside the window of the input's convolution.
        activation: function of the new part and of the cell state.
        recurrent_activation: function of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: first kernel, (height, width, inputs, 4 filters); parts input, forget,
            cell, output.
        recurrent_initializer: first recurrent kernel, (height, width, filters, 4 filters).
        bias_initializer: first bias, (4 filters,).
        unit_forget_bias: whether the forget gate's bias starts at 1.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: limits of the kernel.
        recurrent_constraint: limits of the recurrent kernel.
        bias_constraint: limits of the bias.
        dropout: share of the inputs that is dropped in training, the same at every step.
        recurrent_dropout: share of the state that is dropped in training, the same at every step.
        seed: seed of what the layer draws; default: that of the training run.
        return_sequences: whether the outputs of all steps are returned, not only the last one.
        return_state: whether the last states are returned behind the output.
        go_backwards: whether the walk starts at the last step; outputs are in the walk's order.
        stateful: whether a batch starts with the states in which the batch before it ended.
        **kwargs: see `Layer`; also `unroll` and `zero_output_for_mask`, see `RNN`.

    Raises:
        ValueError: if an argument is not legal, or a spatial size of the input is not known.

    Example:
        >>> ConvLSTM2D(4, 3)(np.zeros((2, 3, 8, 8, 5))).shape
        (2, 6, 6, 4)
    """

    _rank = 2


@register("layer")
class ConvLSTM3D(_ConvLSTM):
    """An LSTM on sequences of volumes, (batch, time, depth, height, width, channels); see
    `ConvLSTM2D`.

    Example:
        >>> ConvLSTM3D(4, 2)(np.zeros((2, 3, 3, 3, 3, 5))).shape
        (2, 2, 2, 2, 4)
    """

    _rank = 3
