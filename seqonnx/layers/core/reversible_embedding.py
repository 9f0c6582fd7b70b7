"""ReversibleEmbedding: integers to vectors, and vectors back to scores of integers."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.core.embedding import Embedding
from seqonnx.layers.options import NamedOptions
from seqonnx.layers.setting import Setting


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
        **kwargs: Unpack[NamedOptions],
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        self._reverse: Variable | None = None

    def build(self, input_shape: Any = None) -> None:
        """Declare the matrix, and the second one."""
        super().build(input_shape)
        if not self.tie_weights and self._reverse is None:
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
        dtype = self.reverse_dtype or self.compute_dtype
        if self._reverse is None:
            kernel = op.Transpose(op.read(self.embeddings), perm=[1, 0])
        else:
            kernel = op.read(self._reverse)
        scores = op.MatMul(op.cast(x, dtype), op.cast(kernel, dtype))
        if self.logit_soft_cap is None:
            return scores
        return op.Mul(op.Tanh(op.Div(scores, self.logit_soft_cap)), self.logit_soft_cap)

    def _emit_mask(self, op: Emitter, x: Any, mask: Any) -> Any:
        """The mask of integers; on the way back none."""
        if x.dtype is not None and x.dtype.is_floating_point():
            return None
        return super()._emit_mask(op, x, mask)
