"""Initializers: the first value of a weight. Plain NumPy; nothing here enters a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqonnx import catalogue
from seqonnx.initializers.base import FromArray, FunctionInitializer, Initializer
from seqonnx.initializers.fixed import Constant, Identity, Ones, Zeros
from seqonnx.initializers.fourier import STFT
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

# Second names that Keras has for these classes.
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
STFTInitializer = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

__all__ = [
    "STFT",
    "Constant",
    "FromArray",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def __dir__() -> list[str]:
    return sorted(__all__)


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
    return deserialize(identifier)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return an initializer as plain values that JSON can hold; `get` turns them back.

    A user's own function or class is saved by its name alone: to load it, pass it in
    `custom_objects`.

    Example:
        >>> serialize(Constant(0.5))
        {'class_name': 'Constant', 'config': {'value': 0.5}}
    """
    return catalogue.serialize(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Initializer:
    """Make an initializer from the configuration returned by `serialize`.

    Args:
        config: the dict, or whatever else `get` takes.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        An initializer.

    Raises:
        ValueError: if it stands for none.
    """
    if isinstance(config, np.ndarray | list):
        return FromArray(config)
    found: Initializer = catalogue.get(
        "initializer", config, Initializer, wrap=FunctionInitializer, custom_objects=custom_objects
    )
    return found
