"""Activations as functions of tensors: those of `seqonnx.activations`, with Keras's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx import activations
from seqonnx.graph import Emitter
from seqonnx.ops.promotion import floating, tensor
from seqonnx.tensor_function import TensorFunction, tensor_function


def _activated(op: Emitter, activation: TensorFunction, x: Any, **arguments: Any) -> ir.Value:
    """An activation of floating-point numbers."""
    result: ir.Value = activation(op, floating(op, x), **arguments)
    return result


@tensor_function()
def relu(op: Emitter, x: Any) -> ir.Value:
    """Return x, and 0 where it is negative.

    Example:
        >>> relu([-1.0, 2.0]).tolist()
        [0.0, 2.0]
    """
    return op.Relu(tensor(op, x))


@tensor_function()
def relu6(op: Emitter, x: Any) -> ir.Value:
    """Return x limited to 0 to 6."""
    return _activated(op, activations.relu6, x)


@tensor_function()
def leaky_relu(op: Emitter, x: Any, negative_slope: float = 0.2) -> ir.Value:
    """Return x where positive, else `negative_slope` x."""
    return _activated(op, activations.leaky_relu, x, negative_slope=negative_slope)


@tensor_function()
def sigmoid(op: Emitter, x: Any) -> ir.Value:
    """Return 1 / (1 + exp(-x))."""
    return _activated(op, activations.sigmoid, x)


@tensor_function("hard_silu")
def hard_swish(op: Emitter, x: Any) -> ir.Value:
    """Return x hard_sigmoid(x)."""
    return _activated(op, activations.hard_swish, x)


@tensor_function()
def hard_sigmoid(op: Emitter, x: Any) -> ir.Value:
    """Return x / 6 + 1/2, limited to 0 to 1."""
    return _activated(op, activations.hard_sigmoid, x)


@tensor_function()
def hard_tanh(op: Emitter, x: Any) -> ir.Value:
    """Return x limited to -1 to 1."""
    return _activated(op, activations.hard_tanh, x)


@tensor_function()
def hard_shrink(op: Emitter, x: Any, threshold: float = 0.5) -> ir.Value:
    """Return x, and 0 where its absolute value is at most `threshold`."""
    return _activated(op, activations.hard_shrink, x, threshold=threshold)


@tensor_function()
def soft_shrink(op: Emitter, x: Any, threshold: float = 0.5) -> ir.Value:
    """Return x moved towards 0 by `threshold`, and 0 where it is nearer."""
    return _activated(op, activations.soft_shrink, x, threshold=threshold)


@tensor_function()
def tanh_shrink(op: Emitter, x: Any) -> ir.Value:
    """Return x - tanh(x)."""
    return _activated(op, activations.tanh_shrink, x)


@tensor_function()
def elu(op: Emitter, x: Any, alpha: float = 1.0) -> ir.Value:
    """Return x where positive, else alpha (exp(x) - 1)."""
    return _activated(op, activations.elu, x, alpha=alpha)


@tensor_function()
def selu(op: Emitter, x: Any) -> ir.Value:
    """Return the self-normalising scaled ELU."""
    return _activated(op, activations.selu, x)


@tensor_function()
def celu(op: Emitter, x: Any, alpha: float = 1.0) -> ir.Value:
    """Return x where positive, else alpha (exp(x / alpha) - 1)."""
    return _activated(op, activations.celu, x, alpha=alpha)


@tensor_function()
def gelu(op: Emitter, x: Any, approximate: bool = True) -> ir.Value:
    """Return x Phi(x); `approximate` takes the form with tanh."""
    return _activated(op, activations.gelu, x, approximate=approximate)


@tensor_function("swish")
def silu(op: Emitter, x: Any) -> ir.Value:
    """Return x sigmoid(x)."""
    return _activated(op, activations.silu, x)


@tensor_function()
def softplus(op: Emitter, x: Any) -> ir.Value:
    """Return log(1 + exp(x))."""
    return _activated(op, activations.softplus, x)


@tensor_function()
def softsign(op: Emitter, x: Any) -> ir.Value:
    """Return x / (1 + |x|)."""
    return _activated(op, activations.softsign, x)


@tensor_function()
def squareplus(op: Emitter, x: Any, b: float = 4) -> ir.Value:
    """Return (x + sqrt(x^2 + b)) / 2."""
    return _activated(op, activations.squareplus, x, b=float(b))


@tensor_function()
def log_sigmoid(op: Emitter, x: Any) -> ir.Value:
    """Return log(sigmoid(x))."""
    return _activated(op, activations.log_sigmoid, x)


@tensor_function()
def sparse_plus(op: Emitter, x: Any) -> ir.Value:
    """Return 0 below -1, x above 1, and (x + 1)^2 / 4 between."""
    return _activated(op, activations.sparse_plus, x)


@tensor_function()
def sparse_sigmoid(op: Emitter, x: Any) -> ir.Value:
    """Return (x + 1) / 2, limited to 0 to 1."""
    return _activated(op, activations.sparse_sigmoid, x)


@tensor_function()
def glu(op: Emitter, x: Any, axis: int = -1) -> ir.Value:
    """Return a sigmoid(b), where a and b are the halves of x along `axis`."""
    return _activated(op, activations.glu, x, axis=axis)


@tensor_function()
def softmax(op: Emitter, x: Any, axis: int | Sequence[int] | None = -1) -> ir.Value:
    """Return exp(x) divided by its sum along an axis.

    Args:
        x: tensor.
        axis: the axis; several count as one, None as all.
    """
    return _activated(op, activations.softmax, x, axis=axis)


@tensor_function()
def log_softmax(op: Emitter, x: Any, axis: int | Sequence[int] | None = -1) -> ir.Value:
    """Return the logarithm of `softmax`."""
    return _activated(op, activations.log_softmax, x, axis=axis)


@tensor_function()
def threshold(op: Emitter, x: Any, threshold: float, default_value: float) -> ir.Value:
    """Return x where it is above `threshold`, else `default_value`."""
    found: ir.Value = activations.threshold(op, tensor(op, x), threshold, default_value)
    return found


@tensor_function()
def sparsemax(op: Emitter, x: Any, axis: int = -1) -> ir.Value:
    """Return max(x - t, 0), where t makes the outputs sum to 1 along an axis."""
    return _activated(op, activations.sparsemax, x, axis=axis)
