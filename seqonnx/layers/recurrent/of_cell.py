"""Layers that are a cell of Keras's, repeated: LSTM, GRU, SimpleRNN, and the ConvLSTMs."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypedDict, TypeVar, overload

from seqonnx.constraints import Constraint
from seqonnx.dtypes import DTypePolicy
from seqonnx.initializers import Initializer
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.recurrent.rnn import RecurrentLayer
from seqonnx.regularizers import Regularizer

T = TypeVar("T")


class RecurrentOptions(BasicLayerOptions, total=False):
    """Options of a layer that makes its own cell."""

    zero_output_for_mask: bool


class UnrolledOptions(RecurrentOptions, total=False):
    """Options of a layer that makes its own cell, and does not name `unroll` itself."""

    unroll: bool


class CellOptions(TypedDict, total=False):
    """Options that a cell has from its layer."""

    dtype: str | DTypePolicy | None
    trainable: bool


class FromCell(Generic[T]):
    """An attribute that is the cell's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, layer: None, owner: type) -> FromCell[T]: ...

    @overload
    def __get__(self, layer: object, owner: type) -> T: ...

    def __get__(self, layer: Any, owner: type) -> FromCell[T] | T:
        if layer is None:
            return self
        value: T = getattr(layer.cell, self._name)
        return value

    def __set__(self, layer: Any, value: Any) -> None:
        setattr(layer.cell, self._name, value)


class LayerOfCell(RecurrentLayer):
    """Base of the layers that make their own cell: its arguments are theirs."""

    _casts_integers = True

    activation: FromCell[Any] = FromCell()
    use_bias: FromCell[bool] = FromCell()
    kernel_initializer: FromCell[Initializer] = FromCell()
    recurrent_initializer: FromCell[Initializer] = FromCell()
    bias_initializer: FromCell[Initializer] = FromCell()
    kernel_regularizer: FromCell[Regularizer | None] = FromCell()
    recurrent_regularizer: FromCell[Regularizer | None] = FromCell()
    bias_regularizer: FromCell[Regularizer | None] = FromCell()
    kernel_constraint: FromCell[Constraint | None] = FromCell()
    recurrent_constraint: FromCell[Constraint | None] = FromCell()
    bias_constraint: FromCell[Constraint | None] = FromCell()
    dropout: FromCell[float] = FromCell()
    recurrent_dropout: FromCell[float] = FromCell()
    seed: FromCell[int | None] = FromCell()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the cell follows from them."""
        config = super().get_config()
        return {name: config[name] for name in config if name not in {"cell", "use_cudnn"}}

    def _check_native(self, training: bool) -> None:
        """Raise a ValueError if ONNX's operator is asked for, and there is none for the cell."""
        if getattr(self, "use_cudnn", "auto") is True and not self.cell._is_native(training):
            raise ValueError(
                "use_cudnn=True was specified, but cuDNN is not supported for this layer "
                "configuration with this backend. Pass use_cudnn='auto' to fallback to a "
                f"non-cuDNN implementation. Layer: '{self.name}'."
            )


def cell_options(options: RecurrentOptions) -> CellOptions:
    """Return those options of a layer that its cell gets, too."""
    found: CellOptions = {}
    if "dtype" in options:
        found["dtype"] = options["dtype"]
    if "trainable" in options:
        found["trainable"] = options["trainable"]
    return found


def check_cudnn(use_cudnn: Any) -> bool | Literal["auto"]:
    """Return the argument `use_cudnn`.

    Raises:
        ValueError: if it is none of those that there are.
    """
    if use_cudnn not in ("auto", True, False):
        raise ValueError(
            "Invalid valid received for argument `use_cudnn`. Expected one of "
            f"{{'auto', True, False}}. Received: use_cudnn={use_cudnn}"
        )
    return "auto" if use_cudnn == "auto" else bool(use_cudnn)
