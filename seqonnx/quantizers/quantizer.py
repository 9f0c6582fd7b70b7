"""Quantizer: the base of what turns numbers into integers and scales."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.configuration import Configured
from seqonnx.graph import Emitter, Trace, current_trace, dtype_name
from seqonnx.graph.reading import STOP_GRADIENT
from seqonnx.graph.tracing import traced, tracing


@register("quantizer", "quantizer")
class Quantizer(Configured):
    """Base of quantizers; also the way to write one's own.

    A subclass defines `__call__(x, axis=None, to_numpy=False)` on tensors, with `seqonnx.ops`; it
    returns integers and the scale that they were multiplied by, of size 1 along `axis`.

    Args:
        output_dtype: dtype of the integers.

    Example:
        >>> Quantizer().output_dtype
        'int8'
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = dtypes.standardize(output_dtype)

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> Any:
        """Return the tensor as it is; a subclass returns integers and a scale.

        Args:
            x: tensor.
            axis: axis or axes that share a scale.
            to_numpy: whether `x` is an array, to be computed at once.
        """
        return x

    def there_and_back(self, op: Emitter, x: ir.Value, axis: Any) -> ir.Value:
        """Emit numbers rounded to the integers; their gradient goes straight through.

        Args:
            op: emitter of the graph.
            x: the numbers.
            axis: axis or axes that share a scale.

        Raises:
            TypeError: if a call gives no pair of integers and scale.
        """
        trace = Trace(op, training=False)
        with tracing(trace):
            made = self(traced(x), axis=axis)
            if not isinstance(made, tuple | list) or len(made) != 2:
                raise TypeError(
                    f"A call of {type(self).__name__} must return integers and their scale, a pair "
                    f"of tensors. Received: {made!r}"
                )
            integers, scale = (trace.value(part) for part in made)
        scale = op.cast(scale, dtype_name(x))
        with op.scope(STOP_GRADIENT):
            integers = op.Identity(op.cast(integers, dtype_name(x)))
            scale = op.Identity(scale)
        numbers = op.Mul(x, scale)
        with op.scope(STOP_GRADIENT):
            held = op.Identity(numbers)
        result: ir.Value = op.Div(op.Add(integers, op.Sub(numbers, held)), scale)
        return result


def on_arrays(name: str, to_numpy: bool) -> None:
    """Raise a ValueError where a function that is to compute at once is called in a trace.

    Args:
        name: the function.
        to_numpy: whether it is to.
    """
    if to_numpy and current_trace() is not None:
        raise ValueError(
            f"`{name}(to_numpy=True)` computes at once, on arrays, and was called on tensors of a "
            "graph that is being made. Leave `to_numpy` out."
        )
