"""Initializers: the first value of a weight. Plain NumPy; nothing here enters a graph."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from seqonnx.dtypes import plain_value
from seqonnx.initializers.base import FromArray, FromFunction, Initializer, name_of
from seqonnx.initializers.fixed import Constant, Identity, Ones, Zeros
from seqonnx.initializers.sampling import (
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from seqonnx.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

__all__ = [
    "Constant",
    "FromArray",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
    "serialize",
]

_CLASSES: Final[dict[str, type[Initializer]]] = {
    "constant": Constant,
    "from_array": FromArray,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}

_ALIASES: Final = {
    "IdentityInitializer": "identity",
    "OrthogonalInitializer": "orthogonal",
    "normal": "random_normal",
    "one": "ones",
    "uniform": "random_uniform",
    "zero": "zeros",
}

_NAMES: Final[dict[str, type[Initializer]]] = {
    **_CLASSES,
    **{cls.__name__: cls for cls in _CLASSES.values()},
    **{alias: _CLASSES[name] for alias, name in _ALIASES.items()},
}


def get(identifier: Any) -> Initializer:
    """Return the initializer that `identifier` stands for.

    Args:
        identifier: an `Initializer` or its class, a name (`"glorot_uniform"`, `"GlorotUniform"`),
            a dict from `serialize`, an array, or a function `(shape, dtype)` to an array.

    Returns:
        An initializer.

    Raises:
        ValueError: if it stands for none.

    Example:
        >>> get("zeros")
        Zeros()
    """
    match identifier:
        case Initializer():
            return identifier
        case str() if identifier in _NAMES:
            return _NAMES[identifier]()
        case {"class_name": str(name)} if name in _NAMES:
            return _NAMES[name].from_config(identifier.get("config") or {})
        case np.ndarray() | list():
            return FromArray(identifier)
        case type() if issubclass(identifier, Initializer):
            return identifier()
    if callable(identifier) and not isinstance(identifier, type):
        return FromFunction(identifier)
    raise ValueError(f"Could not interpret initializer identifier: {identifier}")


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return an initializer as plain values that JSON can hold; `get` turns them back.

    A user's own function or class is saved by its name alone: to load it, pass it in
    `custom_objects`.

    Example:
        >>> serialize(Constant(0.5))
        {'class_name': 'Constant', 'config': {'value': 0.5}}
    """
    if isinstance(initializer, FromFunction):
        return {"class_name": name_of(initializer.function), "config": {}}
    return {
        "class_name": type(initializer).__name__,
        "config": plain_value(initializer.get_config()),
    }
