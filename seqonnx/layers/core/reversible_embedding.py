"""ReversibleEmbedding: integers to vectors, and vectors back to scores of integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.core.embedding import Embedding
from seqonnx.layers.options import NamedOptions
from seqonnx.layers.quantized_forms import Int8Form, QuantizedWeight, WeightAxes
from seqonnx.layers.setting import Setting
from seqonnx.quantizers import QuantizationConfig


@register("layer")
class ReversibleEmbedding(Embedding):
    """An embedding that also goes back: (batch, …, output_dim) to (batch, …, input_dim).

    `layer(x, reverse=True)` multiplies by the matrix transposed (Press and Wolf, 2017), or by a
    second one.

    Args:
        input_dim: number of rows: the largest integer plus 1.
        output_dim: length of a row.
        tie_weights: whether both ways share one matrix.
        embeddings_initializer: first value of the matrix, of shape (input_dim, output_dim), and
            of the second one.
        embeddings_regularizer: penalty on the matrix.
        embeddings_constraint: limits of the matrix.
        mask_zero: whether zeros are masked.
        reverse_dtype: dtype of the way back; default that of computation.
        logit_soft_cap: limit c of the scores: they become c tanh(scores / c); None: none.
        quantization_config: see `Embedding`; a second matrix becomes int8 only.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a size is not a positive integer.

    Example:
        >>> layer = ReversibleEmbedding(5, 2)
        >>> layer(layer(np.array([[1, 4]])), reverse=True).shape
        (1, 2, 5)
    """

    tie_weights: Setting[bool] = Setting(bool, until_built=True)
    reverse_dtype: Setting[str | None] = Setting(
        lambda given: None if given is None else dtypes.standardize(given)
    )
    logit_soft_cap: Setting[float | None] = Setting()

    _quantized_reverse: QuantizedWeight | None = None

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: str | None = None,
        logit_soft_cap: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        **kwargs: Unpack[NamedOptions],
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            quantization_config=quantization_config,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        self._reverse: Variable | None = None

    def build(self, input_shape: Any = None) -> None:
        """Declare the matrix, and the second one."""
        super().build(input_shape)
        if self.tie_weights or self._reverse is not None:
            return
        if self.quantization_mode is not None:
            self._hold_reverse(self._policy)
        else:
            self._reverse = self.add_weight(
                (self.output_dim, self.input_dim),
                self.embeddings_initializer,
                name="reverse_embeddings",
            )

    # An embedding that can be called the other way round, too.
    def call(self, op: Emitter, x: ir.Value, training: bool, reverse: bool = False) -> ir.Value:
        """Emit a Gather; or a product, softly limited."""
        if not reverse:
            return super().call(op, x, training)
        scores = self._integer_scores(op, x) if self._quantized else self._scores(op, x)
        if self.logit_soft_cap is None:
            return scores
        return op.Mul(op.Tanh(op.Div(scores, self.logit_soft_cap)), self.logit_soft_cap)

    def _scores(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the product with a matrix of floating-point numbers."""
        dtype = self.reverse_dtype or self.compute_dtype
        if self._reverse is None:
            kernel = op.Transpose(op.read(self.embeddings), perm=[1, 0])
        else:
            kernel = op.read(self._reverse)
        result: ir.Value = op.MatMul(op.cast(x, dtype), op.cast(kernel, dtype))
        return result

    def _integer_scores(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the product with integers, in the dtype of computation, as in Keras."""
        x = op.cast(x, self.compute_dtype)
        if self._quantized_reverse is not None:
            return self._product(op, x, self._quantized_reverse, -1, op.MatMul)
        assert self._quantized is not None
        table = replace(self._quantized)  # without the adapter, which Keras leaves out here
        return self._product(
            *(op, x, table, -1),
            lambda rows, kernel: op.MatMul(rows, op.Transpose(kernel, perm=[1, 0])),
        )

    def _hold_reverse(self, policy: dtypes.DTypePolicy) -> QuantizedWeight:
        """Declare the integers of the second matrix.

        Raises:
            ValueError: if they are not int8.
        """
        if policy.quantization_mode != "int8":
            raise ValueError(
                f"The second matrix of layer '{self.name}' becomes int8 only. Pass mode='int8', or "
                f"tie_weights=True. Received: {policy.name!r}"
            )
        form = Int8Form(WeightAxes((self.output_dim, self.input_dim), (0,), (1,)))
        self._quantized_reverse = self._add_integers("reverse_embeddings", form)
        self._reverse = self._quantized_reverse.variables[0]
        return self._quantized_reverse

    def _become_integers(self, config: QuantizationConfig, policy: dtypes.DTypePolicy) -> None:
        if self._reverse is None:
            super()._become_integers(config, policy)
            return
        old = self._reverse
        made = self._hold_reverse(policy)
        self._forget(old)
        for variable, value in zip(
            made.variables, made.form.stored(old.numpy(), config.weight_quantizer), strict=True
        ):
            variable.assign(value)
        super()._become_integers(config, policy)
        # Keras has the integers of the table first.
        self._variables.sort(key=lambda variable: variable in made.variables)

    def _emit_mask(self, op: Emitter, x: Any, mask: Any) -> Any:
        """The mask of integers; on the way back none."""
        if x.dtype is not None and x.dtype.is_floating_point():
            return None
        return super()._emit_mask(op, x, mask)
