"""Objects as class name and configuration, the form that Keras 2 wrote; and back."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any, Final

from seqonnx.registration import custom_object_scope, get_registered_name, get_registered_object

_MARK: Final = "__passive_serialization__"

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def __dir__() -> list[str]:
    return __all__


def serialize_keras_object(instance: Any) -> Any:
    """Return class name and configuration of an object, or the name of a function.

    Args:
        instance: an object with `get_config`, a function, or None.

    Raises:
        ValueError: for something else.

    Example:
        >>> from seqonnx import regularizers
        >>> serialize_keras_object(regularizers.L2(0.5))
        {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    if instance is None:
        return None
    instance = inspect.unwrap(instance)
    get_config = getattr(instance, "get_config", None)
    if get_config is not None:
        config = {key: _inner(item) for key, item in get_config().items()}
        return {"class_name": get_registered_name(type(instance)), "config": config}
    if getattr(instance, "__name__", None) is not None:
        return get_registered_name(instance)
    raise ValueError(f"Cannot serialize {instance} because it doesn't implement `get_config()`.")


def _inner(item: Any) -> Any:
    """A value of a configuration; one that has no such form stays as it is."""
    if isinstance(item, str):
        return item
    try:
        written = serialize_keras_object(item)
    except ValueError:
        return item
    if isinstance(written, dict) and not isinstance(item, dict):
        written[_MARK] = True
    return written


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """Return the object of a class name and a configuration.

    Args:
        identifier: what `serialize_keras_object` returned; a function is returned as it is.
        module_objects: classes and functions by name, such as `vars(seqonnx.layers)`.
        custom_objects: those of the user's own.
        printable_module_name: the kind of object, for errors.

    Raises:
        ValueError: for a name that is not known, or another form.

    Example:
        >>> from seqonnx import regularizers
        >>> written = {"class_name": "L2", "config": {"l2": 0.5}}
        >>> deserialize_keras_object(written, vars(regularizers))
        L2(l2=0.5)
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    given = (module_objects, custom_objects, printable_module_name)
    if isinstance(identifier, str):
        found = _found(identifier, *given)
        return found() if isinstance(found, type) else found
    if not isinstance(identifier, Mapping):
        raise ValueError(f"Could not interpret serialized {printable_module_name}: {identifier}")
    if not {"class_name", "config"} <= set(identifier):
        raise ValueError(
            f"Improper config format for {identifier}. Expecting python dict contains "
            "`class_name` and `config` as keys"
        )
    cls = _found(identifier["class_name"], *given)
    config = {
        key: _made(key, item, module_objects, custom_objects)
        for key, item in copy.deepcopy(identifier["config"]).items()
        if key != _MARK
    }
    with custom_object_scope(dict(custom_objects or {})):
        from_config = getattr(cls, "from_config", None)
        return cls(**config) if from_config is None else from_config(config)


def _made(
    key: str, item: Any, known: Mapping[str, Any] | None, custom: Mapping[str, Any] | None
) -> Any:
    """A value of a configuration as its class takes it."""
    if isinstance(item, dict) and _MARK in item:
        return deserialize_keras_object(item, known, custom, "config_item")
    if isinstance(item, str) and key != "name":
        function = get_registered_object(item, custom, known)
        return function if inspect.isfunction(function) else item
    return item


def _found(
    name: str, known: Mapping[str, Any] | None, custom: Mapping[str, Any] | None, kind: str
) -> Any:
    """The class or function of a name."""
    found = get_registered_object(name, custom, known)
    if found is None:
        raise ValueError(
            f"Unknown {kind}: '{name}'. Pass it in `module_objects` or `custom_objects`, or use "
            "`seqonnx.utils.custom_object_scope`."
        )
    return found
