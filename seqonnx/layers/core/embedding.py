"""Embedding: integers become rows of a matrix."""

from __future__ import annotations

import warnings
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx import constraints, initializers, regularizers
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.layers._weights import replace
from seqonnx.layers.options import NamedOptions
from seqonnx.layers.quantizable import Quantizable
from seqonnx.layers.quantized_forms import WeightAxes
from seqonnx.layers.setting import Setting
from seqonnx.quantizers import QuantizationConfig
from seqonnx.tensor_function import evaluate

_INDICES = {ir.DataType.INT32, ir.DataType.INT64}


@register("layer")
class Embedding(Quantizable):
    """Looks up a row of a matrix for every integer: (batch, …) to (batch, …, output_dim).

    Inputs of other dtypes than int32 and int64 are cast to int32. A negative number counts rows
    from the end; one that is not below `input_dim` is an error where the graph runs.

    Args:
        input_dim: number of rows: the largest integer plus 1.
        output_dim: length of a row.
        embeddings_initializer: first value of the matrix, of shape (input_dim, output_dim).
        embeddings_regularizer: penalty on the matrix.
        embeddings_constraint: limits of the matrix.
        mask_zero: whether zeros are masked: layers after it leave these steps out.
        weights: the first matrix itself, or a list of it, in place of an initializer.
        lora_rank: rank of an adapter that trains in the place of the matrix; see `enable_lora`.
        lora_alpha: the adapter is multiplied by `lora_alpha / lora_rank`; default `lora_rank`.
        quantization_config: how weights and inputs become integers, where `dtype` is one such as
            `"int8_from_float32"` or `quantize` is called; default: as the form has it.
        activity_regularizer: penalty on the output.
        sparse: whether a training step moves only the rows that the batch has met, and only their
            slots of the optimizer, as PyTorch's `Embedding(sparse=True)` with `SparseAdam` does.
            Averages of rows that were not met do not decay: with SGD without momentum, and with
            Adagrad, nothing changes but the time; with Adam and others it is another update. Not
            an argument of Keras, so files for Keras only hold it where it is True.
        input_length: has no meaning any more; a warning says so.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a size is not a positive integer, or `weights` are given for integers.

    Example:
        >>> Embedding(2, 2, weights=[[1.0, 2.0], [3.0, 4.0]])([[1, 0]]).tolist()
        [[[3.0, 4.0], [1.0, 2.0]]]
    """

    input_dim: Setting[int] = Setting(until_built=True)
    output_dim: Setting[int] = Setting(until_built=True)
    embeddings_regularizer: Setting[regularizers.Regularizer | None] = Setting(
        regularizers.get, until_built=True
    )
    embeddings_constraint: Setting[constraints.Constraint | None] = Setting(
        constraints.get, until_built=True
    )

    mask_zero: Setting[bool] = Setting(bool, until_built=True)
    sparse: Setting[bool] = Setting(bool, until_built=True)

    _adapted_name = "embeddings"

    autocast = False  # float16 has no odd integers above 2,048

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        *,
        activity_regularizer: Any = None,
        sparse: bool = False,
        input_length: int | None = None,
        **kwargs: Unpack[NamedOptions],
    ) -> None:
        if input_length is not None:
            warnings.warn(
                "Argument `input_length` is deprecated. Just remove it.", UserWarning, stacklevel=2
            )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim = _positive("input_dim", input_dim)
        self.output_dim = _positive("output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint
        self.mask_zero = mask_zero
        self.sparse = sparse
        self._ask_for_adapter(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        self.supports_masking = self.mask_zero
        self._embeddings: Variable | None = None
        if weights is not None:
            if self.quantization_mode is not None:
                raise ValueError(
                    f"The matrix of layer '{self.name}' is stored as integers, so it cannot be "
                    "given. Make the layer without a quantised dtype, and call `quantize`. "
                    f"Received: dtype={self.dtype_policy.name!r} with `weights`"
                )
            self.build()
            listed = isinstance(weights, list) and len(weights) == 1
            replace(self.name, [self.embeddings], weights if listed else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Declare the matrix."""
        if self._embeddings is not None:
            return
        if self.quantization_mode is None:
            self._embeddings = self.add_weight(
                (self.input_dim, self.output_dim),
                self.embeddings_initializer,
                name="embeddings",
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
            )
            self._embeddings._sparse = self.sparse
        else:
            self._refuse_sparse("is stored as integers")
            self._build_quantized((self.input_dim, self.output_dim))
        self._adapt_from_the_start()

    def _refuse_sparse(self, what: str) -> None:
        """Raise where the matrix no longer trains, and `sparse` would do nothing."""
        if self.sparse:
            raise ValueError(
                f"The matrix of layer '{self.name}' trains by the rows of a batch (`sparse=True`), "
                f"but it {what} and does not train. Make the layer without `sparse=True`."
            )

    def _adaptable_weight(self) -> Variable:
        self._refuse_sparse("gets an adapter")
        return super()._adaptable_weight()

    def _check_quantizable(self, config: QuantizationConfig, type_check: bool) -> None:
        super()._check_quantizable(config, type_check)
        self._refuse_sparse("becomes integers")

    @property
    def embeddings(self) -> Variable:
        """The matrix.

        Raises:
            AttributeError: before the layer is built.
        """
        if self._embeddings is None:
            raise AttributeError("You must build the layer before accessing `embeddings`.")
        return self._embeddings

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Gather; rows are cast to the dtype computed in after they are picked."""
        indices = x if x.dtype in _INDICES else op.cast(x, "int32")
        if self._quantized is None:
            return op.cast(op.Gather(self.embeddings, indices, axis=0), self.compute_dtype)
        return op.cast(self._rows(op, self._quantized, indices), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where the input is not 0; None unless zeros are masked."""
        if not self.mask_zero:
            return None
        return evaluate(_not_zero, inputs, key="embedding mask")

    def _layout(self, shape: tuple[int, ...]) -> WeightAxes:
        return WeightAxes(shape, (1,), (0,), rows=True)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the matrix itself is not among them."""
        config = {"input_dim": self.input_dim} | super().get_config()
        if not self.sparse:  # Keras has no such argument
            del config["sparse"]
        return config


def _not_zero(op: Emitter, x: ir.Value) -> ir.Value:
    return op.Not(op.Equal(x, op.CastLike(0, x)))


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value} "
            f"(of type {type(value).__name__})."
        )
    return int(value)
