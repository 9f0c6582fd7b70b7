"""Layers as plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seqonnx import catalogue, registration
from seqonnx.contexts import in_own_context
from seqonnx.importers.keras.code import is_lambda
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.layers.shared_entries import find_shared, note_shared

KNOWN: Final = catalogue.entries("layer")
"""The layer classes that a configuration may name."""

_FUNCTIONS: Final = ("activation", "function", "mask", "standardize", "split")
"""Endings of the arguments that may hold a function of the user's, saved by its name."""

_PARTS: Final = ("_initializer", "_regularizer", "_constraint", "quantization_config")
"""Endings of the arguments that hold something else than a layer."""


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer as plain values: its class and its constructor's arguments, no weights.

    Example:
        >>> serialize(Flatten(name="f"))["class_name"]
        'Flatten'
    """
    return catalogue.serialize(layer)


@in_own_context
def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Layer:
    """Make a layer from the configuration returned by `serialize`, here or in Keras 3.

    The code of a lambda and the path of a vocabulary in it are refused, unless
    `config.enable_unsafe_deserialization()` was called.

    Args:
        config: class and arguments.
        custom_objects: one's own layer classes, and one's own initializers, regularizers,
            constraints and activation functions, by the name they were saved under.

    Returns:
        A layer, not built.

    Raises:
        ValueError: if the class is not known.

    Example:
        >>> deserialize({"class_name": "Dense", "config": {"units": 3, "name": "d"}})
        <Dense name=d, built=False>
    """
    shared: Layer | None = find_shared(config)
    if shared is not None:
        return shared
    registration.set_safe_mode(registration.in_safe_mode())
    custom = {} if custom_objects is None else custom_objects
    config = _translated(config, custom)
    name = config.get("class_name")
    cls = catalogue.find("layer", name, custom)
    if cls is None:
        raise ValueError(
            f"Could not locate class '{name}'. A layer of one's own must be passed in "
            f"`custom_objects`, as {{'{name}': {name}}}. Passed: {sorted(custom)}. Known layers: "
            f"{', '.join(sorted(KNOWN))}."
        )
    arguments = config.get("config") or {}
    layer: Layer = cls.from_config(
        {key: _revive(key, value, custom) for key, value in arguments.items()}
    )
    note_shared(config, layer)
    return layer


def _translated(config: Mapping[str, Any], custom: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration of Keras's, which names modules, as one of seqonnx's."""
    if "module" not in config:
        return config
    own = {**registration.all_known(), **custom}
    known = Catalogue(KNOWN, own, safe=registration.in_safe_mode())
    return config if known.find(config) is None else translate(config, known)


def _revive(key: str, value: Any, custom: Mapping[str, Any]) -> Any:
    """Turn an argument into the object it stands for, where its constructor could not."""
    if is_lambda(value):
        return custom.get("<lambda>", value)
    if isinstance(value, str) and key.endswith(_FUNCTIONS):
        return custom.get(value, value)
    if isinstance(value, list):
        return [_revive(key, item, custom) for item in value]
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    if not key.endswith(_PARTS):
        model = catalogue.find("model", value["class_name"], custom)
        if isinstance(model, type) and issubclass(model, Network):
            return model.from_config(dict(value.get("config") or {}), custom)
        return deserialize(value, custom)
    found = custom.get(str(value["class_name"]))
    if isinstance(found, type):
        return found(**(value.get("config") or {}))
    return value if found is None else found
