"""GRU: sequences with gates and one state."""

from __future__ import annotations

from typing import Any, Literal, Unpack

from seqonnx.catalogue import register
from seqonnx.layers.base import InputSpec
from seqonnx.layers.recurrent.gru_cell import GRUCell
from seqonnx.layers.recurrent.of_cell import (
    FromCell,
    LayerOfCell,
    RecurrentOptions,
    cell_options,
    check_cudnn,
)


@register("layer")
class GRU(LayerOfCell):
    """Gated recurrent unit (Cho et al., 2014); see `GRUCell` for the formulas.

    Args:
        units: size of the output, which is the state.
        activation: function of the new part.
        recurrent_activation: function of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: first kernel, (inputs, 3 units); parts update, reset, new.
        recurrent_initializer: first recurrent kernel, (units, 3 units).
        bias_initializer: first bias, (2, 3 units); (3 units,) without `reset_after`.
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
        unroll: whether steps are written out where ONNX has no operator for the cell.
        reset_after: whether the reset gate acts after the product.
        use_cudnn: `"auto"`, False, or True: refuse arguments for which ONNX has no operator.
        **kwargs: see `Layer`; also `zero_output_for_mask`, see `RNN`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> GRU(4, return_sequences=True)(np.zeros((2, 3, 5))).shape
        (2, 3, 4)
    """

    units: FromCell[int] = FromCell()
    recurrent_activation: FromCell[Any] = FromCell()
    reset_after: FromCell[bool] = FromCell()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | Literal["auto"] = "auto",
        **kwargs: Unpack[RecurrentOptions],
    ) -> None:
        cell = GRUCell(
            *(units, activation, recurrent_activation, use_bias, kernel_initializer),
            *(recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            reset_after=reset_after,
            seed=seed,
            name="gru_cell",
            **cell_options(kwargs),
        )
        super().__init__(
            *(cell, return_sequences, return_state, go_backwards, stateful, unroll),
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=3)
        self.use_cudnn = check_cudnn(use_cudnn)
