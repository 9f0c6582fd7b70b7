"""Smooth activations.

Where ONNX has the operator it is emitted alone: ONNX Runtime fuses it with its producer, and its
gradient is one formula. Mish is composed, because the runtime computes that operator one element
at a time (about seven times slower, measured).
"""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.tensor_function import tensor_function

_MISH_IS_X_FROM: Final = 20.0
_MISH_IS_X_FROM_IN_HALF: Final = 5.0


@tensor_function(kind="activation")
def sigmoid(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit 1 / (1 + exp(-x))."""
    return op.Sigmoid(x)


@tensor_function(kind="activation")
def tanh(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit the hyperbolic tangent."""
    return op.Tanh(x)


@tensor_function(kind="activation")
def elu(op: Emitter, x: ir.Value, alpha: float = 1.0) -> ir.Value:
    """Emit x where positive, else alpha (exp(x) - 1) (Clevert et al., 2016)."""
    return op.Elu(x, alpha=alpha)


@tensor_function(kind="activation")
def selu(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit the self-normalising scaled ELU (Klambauer et al., 2017)."""
    return op.Selu(x)


@tensor_function(kind="activation")
def celu(op: Emitter, x: ir.Value, alpha: float = 1.0) -> ir.Value:
    """Emit x where positive, else alpha (exp(x / alpha) - 1) (Barron, 2017)."""
    return op.Mul(op.Elu(op.Div(x, alpha), alpha=1.0), alpha)


@tensor_function("swish", kind="activation")
def silu(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit x sigmoid(x), also called swish (Ramachandran et al., 2017)."""
    return op.Mul(x, op.Sigmoid(x))


@tensor_function(kind="activation")
def gelu(op: Emitter, x: ir.Value, approximate: bool = False) -> ir.Value:
    """Emit x Phi(x) (Hendrycks and Gimpel, 2016); `approximate` takes the form with tanh."""
    return op.Gelu(x, approximate="tanh" if approximate else "none")


@tensor_function(kind="activation")
def softplus(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit log(1 + exp(x)); the operator keeps its digits where x is far below 0."""
    return op.Softplus(x)


@tensor_function(kind="activation")
def log_sigmoid(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit log(sigmoid(x)) = -softplus(-x)."""
    return op.Neg(op.Softplus(op.Neg(x)))


@tensor_function(kind="activation")
def softsign(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit x / (1 + |x|)."""
    return op.Softsign(x)


@tensor_function(kind="activation")
def exponential(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit exp(x)."""
    return op.Exp(x)


@tensor_function(kind="activation")
def mish(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit x tanh(softplus(x)) (Misra, 2019).

    With e = exp(x) the tanh is n / (n + 2), n = e (e + 2). From some x on it rounds to 1; e stops
    growing there, so that n cannot overflow.
    """
    half = dtype_name(x) == "float16"
    e = op.Exp(op.Clip(x, None, _MISH_IS_X_FROM_IN_HALF if half else _MISH_IS_X_FROM))
    n = op.Mul(e, op.Add(e, 2.0))
    return op.Mul(x, op.Div(n, op.Add(n, 2.0)))


@tensor_function(kind="activation")
def tanh_shrink(op: Emitter, x: ir.Value) -> ir.Value:
    """Emit x - tanh(x)."""
    return op.Sub(x, op.Tanh(x))


@tensor_function(kind="activation")
def squareplus(op: Emitter, x: ir.Value, b: float = 4.0) -> ir.Value:
    """Emit (x + sqrt(x^2 + b)) / 2 (Barron, 2021)."""
    return op.Mul(op.Add(x, op.Sqrt(op.Add(op.Mul(x, x), b))), 0.5)


@tensor_function(kind="activation")
def glu(op: Emitter, x: ir.Value, axis: int = -1) -> ir.Value:
    """Emit a sigmoid(b), where a and b are the halves of x along `axis` (Dauphin et al., 2017)."""
    a, b = op.Split(x, axis=axis, num_outputs=2, _outputs=2)
    return op.Mul(a, op.Sigmoid(b))
