"""RepeatVector: a sequence of copies of a vector."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting


def _times(n: Any) -> int:
    """The number of copies, checked."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
    if n <= 0:
        raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
    return n


@register("layer")
class RepeatVector(Layer):
    """`(batch, features)` to `(batch, n, features)`.

    Args:
        n: number of copies.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if `n` is not an integer.
        ValueError: if it is not positive.

    Example:
        >>> RepeatVector(2)([[1.0, 3.0]]).tolist()
        [[[1.0, 3.0], [1.0, 3.0]]]
    """

    n: Setting[int] = Setting(_times, until_built=True)

    def __init__(self, n: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit an Expand."""
        return op.Expand(op.Unsqueeze(x, [1]), [1, self.n, 1])
