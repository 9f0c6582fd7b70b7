"""Windows for signals: weights that fall to the ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import constant_of
from seqonnx.ops.promotion import tensor
from seqonnx.tensor_function import tensor_function

Weights = npt.NDArray[Any]


@tensor_function()
def bartlett(op: Emitter, x: Any) -> ir.Value:
    """Return a triangle of `x` weights, 0 at both ends.

    Args:
        x: how many, an integer.

    Example:
        >>> bartlett(3).tolist()
        [0.0, 1.0, 0.0]
    """
    return _window(op, np.bartlett, x)


@tensor_function()
def blackman(op: Emitter, x: Any) -> ir.Value:
    """Return `x` weights of Blackman's window: 0.42 - 0.5 cos(t) + 0.08 cos(2 t)."""
    return _window(op, np.blackman, x)


@tensor_function()
def hamming(op: Emitter, x: Any) -> ir.Value:
    """Return `x` weights of Hamming's window: 0.54 - 0.46 cos(t)."""
    return _window(op, np.hamming, x)


@tensor_function()
def hanning(op: Emitter, x: Any) -> ir.Value:
    """Return `x` weights of Hann's window: 0.5 - 0.5 cos(t)."""
    return _window(op, np.hanning, x)


@tensor_function()
def kaiser(op: Emitter, x: Any, beta: float) -> ir.Value:
    """Return `x` weights of Kaiser's window, by the Bessel function I0.

    Args:
        x: how many, an integer.
        beta: the larger, the narrower.
    """
    return _window(op, lambda count: np.kaiser(count, beta), x)


PERIODIC: Final[dict[str, Callable[[int], Weights]]] = {
    "hann": lambda count: np.hanning(count + 1)[:-1],
    "hamming": lambda count: np.hamming(count + 1)[:-1],
}
"""Windows of the Fourier transform: one period, whose end is the next one's beginning."""


def _window(op: Emitter, function: Callable[[int], Weights], x: Any) -> ir.Value:
    """A window as a constant.

    Raises:
        ValueError: if the number of weights is not known.
    """
    known = constant_of(x) if isinstance(x, ir.Value) else np.asarray(x)
    if known is None or known.size != 1:
        raise ValueError(
            "The number of weights of a window must be known when the graph is made. Received a "
            f"tensor of shape {static_shape(tensor(op, x))}: give an integer."
        )
    return op.constant(np.asarray(function(int(known.reshape(()))), np.float32))
