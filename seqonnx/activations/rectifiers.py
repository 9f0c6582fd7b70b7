"""Activations made of straight pieces: each is cheap, and none can overflow."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.tensor_function import tensor_function


@tensor_function(kind="activation")
def linear(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit nothing: f(x) = x."""
    return x


@tensor_function(kind="activation")
def relu(
    op: Emitter,
    x: ir.Value,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> ir.Value:
    """Emit max(x, 0), or with options the shortest form that they allow.

    Args:
        op: emitter of the graph.
        x: a value.
        negative_slope: what is not above `threshold` becomes `negative_slope` (x - threshold).
        max_value: upper limit of the output, or None.
        threshold: what is above it passes; at the threshold itself the output is 0.
    """
    if threshold == 0.0:
        if max_value is None:
            return op.Relu(x) if negative_slope == 0.0 else op.LeakyRelu(x, alpha=negative_slope)
        if negative_slope == 0.0:
            return op.Clip(x, 0.0, max_value)
        return op.Clip(op.LeakyRelu(x, alpha=negative_slope), None, max_value)
    y = op.Where(op.Greater(x, threshold), x, 0.0)
    if max_value is not None:
        y = op.Clip(y, None, max_value)
    if negative_slope == 0.0:
        return y
    return op.Sub(y, op.Mul(op.Relu(op.Sub(threshold, x)), negative_slope))


@tensor_function(kind="activation")
def relu6(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit min(max(x, 0), 6)."""
    return op.Clip(x, 0.0, 6.0)


@tensor_function(kind="activation")
def leaky_relu(op: Emitter, x: ir.Value, negative_slope: float = 0.2) -> ir.Value:
    """Emit x where positive, else `negative_slope` x."""
    return op.LeakyRelu(x, alpha=negative_slope)


@tensor_function(kind="activation")
def hard_sigmoid(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit min(max(x / 6 + 1/2, 0), 1)."""
    return op.HardSigmoid(x, alpha=1.0 / 6.0, beta=0.5)


@tensor_function("hard_swish", kind="activation")
def hard_silu(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit x hard_sigmoid(x), also called hard swish (Howard et al., 2019)."""
    return op.HardSwish(x)


@tensor_function(kind="activation")
def hard_tanh(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit min(max(x, -1), 1)."""
    return op.Clip(x, -1.0, 1.0)


@tensor_function(kind="activation")
def hard_shrink(op: Emitter, x: ir.Value, threshold: float = 0.5) -> ir.Value:
    """Emit x where |x| > `threshold`, else 0."""
    return op.Shrink(x, lambd=threshold, bias=0.0)


@tensor_function(kind="activation")
def soft_shrink(op: Emitter, x: ir.Value, threshold: float = 0.5) -> ir.Value:
    """Emit x moved towards 0 by `threshold`, and 0 where |x| is below it."""
    return op.Shrink(x, lambd=threshold, bias=threshold)


@tensor_function(kind="activation")
def threshold(op: Emitter, x: ir.Value, threshold: float, default_value: float) -> ir.Value:
    """Emit x where it is above `threshold`, else `default_value`."""
    return op.Where(op.Greater(x, threshold), x, default_value)


@tensor_function(kind="activation")
def sparse_sigmoid(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit min(max((x + 1) / 2, 0), 1)."""
    return op.HardSigmoid(x, alpha=0.5, beta=0.5)


@tensor_function(kind="activation")
def sparse_plus(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit 0 below -1, x above 1, and (x + 1)^2 / 4 between."""
    middle = op.Add(op.Clip(x, -1.0, 1.0), 1.0)
    return op.Add(op.Mul(op.Mul(middle, middle), 0.25), op.Relu(op.Sub(x, 1.0)))
