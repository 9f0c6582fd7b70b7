"""Activations: functions `(op, x)` that emit an element-wise function, or a softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seqonnx import catalogue
from seqonnx.activations.distributions import log_softmax, softmax, sparsemax
from seqonnx.activations.rectifiers import (
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    linear,
    relu,
    relu6,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    threshold,
)
from seqonnx.activations.smooth import (
    celu,
    elu,
    exponential,
    gelu,
    glu,
    log_sigmoid,
    mish,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    squareplus,
    tanh,
    tanh_shrink,
)
from seqonnx.graph.tracing import emission_of
from seqonnx.tensor_function import TensorFunction

hard_swish = hard_silu
swish = silu

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
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
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def __dir__() -> list[str]:
    return sorted(__all__)


ActivationFunction = Callable[..., Any]
"""`(op, x)` to a value of the same shape (half as wide for `glu`)."""


def get(identifier: Any) -> ActivationFunction:
    """Return the activation that `identifier` stands for.

    Args:
        identifier: None (linear), a name (`"relu"`), or a function: `(op, x)` emits it, `(x)`
            works on tensors.

    Returns:
        The function.

    Raises:
        ValueError: if it stands for none.
        TypeError: if it is a function of another signature.

    Example:
        >>> get("swish").__name__
        'silu'
    """
    return deserialize(identifier)


def serialize(activation: ActivationFunction) -> str:
    """Return the name of an activation; `get` turns it back.

    A user's own function is saved by its name: to load it, pass it in `custom_objects`.

    Example:
        >>> serialize(get(None))
        'linear'
    """
    return catalogue.saved_name(activation)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> ActivationFunction:
    """Return the activation that `serialize` named.

    Args:
        config: the name, or whatever else `get` takes.
        custom_objects: the user's own functions, by name; they come first.

    Returns:
        The function.

    Raises:
        ValueError: if it stands for none.
        TypeError: if it is a function of another signature.
    """
    if config is None:
        return linear
    found = catalogue.find("activation", config, custom_objects)
    if found is None and callable(config):
        found = config
    if found is None:
        raise catalogue.unknown("activation", config)
    if isinstance(found, TensorFunction):
        return found
    function: ActivationFunction = emission_of(found, "activation", "op", "x")
    return function
