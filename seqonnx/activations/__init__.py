"""Activations: functions `(op, x)` that emit an element-wise function, or a softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import onnx_ir as ir

from seqonnx.activations.rectifiers import (
    hard_shrink,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    leaky_relu,
    linear,
    relu,
    relu6,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
)
from seqonnx.activations.smooth import (
    celu,
    elu,
    exponential,
    gelu,
    glu,
    log_sigmoid,
    log_softmax,
    mish,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    squareplus,
    tanh,
    tanh_shrink,
)
from seqonnx.graph.signatures import check_signature

__all__ = [
    "ActivationFunction",
    "celu",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "tanh",
    "tanh_shrink",
]

ActivationFunction = Callable[..., ir.Value]
"""`(op, x)` to a value of the same shape (half as wide for `glu`)."""

_FUNCTIONS: Final[tuple[ActivationFunction, ...]] = (
    *(celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_swish, hard_tanh),
    *(leaky_relu, linear, log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu),
    *(soft_shrink, softmax, softplus, softsign, sparse_plus, sparse_sigmoid, squareplus, tanh),
    tanh_shrink,
)

_NAMES: Final[dict[str, ActivationFunction]] = {
    **{function.__name__: function for function in _FUNCTIONS},
    "hard_silu": hard_swish,
    "swish": silu,
}


def get(identifier: Any) -> ActivationFunction:
    """Return the activation that `identifier` stands for.

    Args:
        identifier: None (linear), a name (`"relu"`), or a function `(op, x)` that emits it.

    Returns:
        The function.

    Raises:
        ValueError: if it stands for none.
        TypeError: if it is a function of another signature.

    Example:
        >>> get("swish").__name__
        'silu'
    """
    match identifier:
        case None:
            return linear
        case str() if identifier in _NAMES:
            return _NAMES[identifier]
    if callable(identifier):
        check_signature(identifier, "activation", "op", "x")
        function: ActivationFunction = identifier
        return function
    raise ValueError(f"Could not interpret activation function identifier: {identifier}")


def serialize(activation: ActivationFunction) -> str:
    """Return the name of an activation; `get` turns it back.

    A user's own function is saved by its name: to load it, pass it in `custom_objects`.

    Example:
        >>> serialize(get(None))
        'linear'
    """
    return str(getattr(activation, "__name__", type(activation).__name__))
