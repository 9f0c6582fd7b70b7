"""Keras's `dtype_policies`: dtypes of layers as objects, and back from their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqonnx.dtypes import DTypePolicy, FloatDTypePolicy, Int4DTypePolicy, QuantizedDTypePolicy

__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "Int4DTypePolicy",
    "QuantizedDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]

_CLASSES = {
    "DTypePolicy": DTypePolicy,
    "FloatDTypePolicy": FloatDTypePolicy,
    "Int4DTypePolicy": Int4DTypePolicy,
    "QuantizedDTypePolicy": QuantizedDTypePolicy,
}


def __dir__() -> list[str]:
    return sorted(__all__)


def get(identifier: Any) -> DTypePolicy:
    """Return the policy that something stands for.

    Args:
        identifier: a policy, its name, a dtype, its configuration as returned by `serialize`, or
            None for the policy of the process.

    Raises:
        ValueError: if it stands for none.

    Example:
        >>> get("mixed_float16")
        <DTypePolicy "mixed_float16">
    """
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    try:
        return DTypePolicy.of(identifier)
    except TypeError as error:
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. "
            f"Received: dtype={identifier}"
        ) from error


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """Return the configuration of a policy, as Keras writes it.

    Example:
        >>> serialize(DTypePolicy("float64"))["config"]
        {'name': 'float64'}
    """
    quantized = dtype_policy.quantization_mode is not None
    return {
        "module": "keras.dtype_policies" if quantized else "keras",
        "class_name": type(dtype_policy).__name__ if quantized else "DTypePolicy",
        "config": dtype_policy.get_config(),
        "registered_name": None,
    }


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> DTypePolicy:
    """Return the policy of a configuration.

    Args:
        config: returned by `serialize`, here or in Keras.
        custom_objects: classes of one's own by name.

    Raises:
        ValueError: if the class is unknown.
    """
    name = str(config.get("class_name"))
    classes = {**_CLASSES, **(custom_objects or {})}
    if name not in classes:
        raise ValueError(_refusal(name))
    policy: DTypePolicy = classes[name].from_config(dict(config["config"]))
    return policy


def _refusal(name: str) -> str:
    return f"The dtype policy {name!r} is not known here: policies are {', '.join(_CLASSES)}."
