"""Objects from what Keras writes into files: the other direction of `export.keras_objects`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from seqonnx import catalogue, registration
from seqonnx.contexts import in_own_context
from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.code import trusted_function
from seqonnx.importers.keras.config import POLICIES, Catalogue, policy_name, translate
from seqonnx.importers.keras.graph import model_config
from seqonnx.layers.architecture import deserialize_part
from seqonnx.layers.serialization import KNOWN
from seqonnx.models.feature_space import FeatureSpace
from seqonnx.models.feature_space_files import restore_build
from seqonnx.symbolic import SymbolicTensor

NOT_OF_KERAS: Final = ("ONNXModel", "Operation")
"""Layers that only seqonnx has."""

_KINDS: Final = {
    "losses": "loss",
    "metrics": "metric",
    "schedules": "schedule",
    "optimizers": "optimizer",
    "initializers": "initializer",
    "regularizers": "regularizer",
    "constraints": "constraint",
    "activations": "activation",
    "quantizers": "quantizer",
}
"""Kinds by a part of Keras's module, the narrower ones first."""


@in_own_context
def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    **kwargs: Any,
) -> Any:
    """Make the object that `serialize_keras_object` has written, here or in Keras.

    Args:
        config: plain values; an object that is there already is returned.
        custom_objects: classes and functions of one's own, by name.
        safe_mode: whether a lambda, whose code could do anything, is refused. After
            `config.enable_unsafe_deserialization()` it is not; and inside of another loading
            function its `safe_mode` holds, as in Keras.
        **kwargs: `module_objects`, further classes and functions by name, and
            `printable_module_name`, what an error calls them.

    Raises:
        TypeError: if a class or function is not known, or an argument.
        ValueError: for a lambda in safe mode.

    Example:
        >>> deserialize_keras_object({"class_name": "__slice__", "config": {"start": 1}})
        slice(1, None, None)
    """
    objects = kwargs.pop("module_objects", None)
    label = kwargs.pop("printable_module_name", "object")
    if kwargs:
        raise TypeError(f"deserialize_keras_object() got unexpected arguments {sorted(kwargs)}.")
    known = {**(objects or {}), **(custom_objects or {})}
    if isinstance(config, str) and objects is not None and config not in known:
        raise ValueError(f"Unknown {label}: '{config}'. Known: {sorted(known)}.")
    safe = registration.in_safe_mode(safe_mode)
    registration.set_safe_mode(safe)
    return _revived(config, known, safe)


def _revived(value: Any, custom: Mapping[str, Any], safe: bool) -> Any:
    """Return the thing that a plain value stands for."""
    if isinstance(value, str):
        found = registration.own_object(value, custom)
        return value if found is None else _instance(found)
    if isinstance(value, list | tuple):
        return type(value)(_revived(item, custom, safe) for item in value)
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: _revived(item, custom, safe) for key, item in value.items()}
    special = str(value["class_name"])
    if special.startswith("__") and special.endswith("__"):
        return _special(special, value["config"] or {}, custom, safe)
    if special == "function":
        return _function(value, custom)
    return _object(value, custom, safe)


def _instance(found: Any) -> Any:
    """Return the thing of the user's that a name alone stands for."""
    return found() if inspect.isclass(found) else found


def _special(name: str, config: Any, custom: Mapping[str, Any], safe: bool) -> Any:
    """Return the thing that Keras has a class of its own for in files."""
    if name == "__lambda__":
        return trusted_function({"config": config}, safe=safe)
    if name == "__tuple__":
        return tuple(_revived(item, custom, safe) for item in config)
    if name in {"__numpy__", "__tensor__"}:
        return np.array(config["value"], dtype=config["dtype"])
    if name == "__slice__":
        bounds = (config.get(key) for key in ("start", "stop", "step"))
        return slice(*(_revived(bound, custom, safe) for bound in bounds))
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__bytes__":
        return str(config["value"]).encode("utf-8")
    if name == "__keras_tensor__":
        return SymbolicTensor(tuple(config["shape"]), config["dtype"], "keras_tensor")
    raise TypeError(f"Could not deserialize {name}: seqonnx has nothing for it.")


def _function(value: Mapping[str, Any], custom: Mapping[str, Any]) -> Any:
    """A function that a file knows by its name."""
    name = str(value["config"])
    for known in (str(value.get("registered_name") or name), name):
        found = registration.own_object(known, custom)
        if found is not None:
            return found
    module = str(value.get("module") or "")
    kinds = [kind for part, kind in _KINDS.items() if part in module] or ["activation", "loss"]
    ours = module.partition(".")[0] == "keras" or module.startswith("builtins")
    for kind in [*kinds, "op", "metric", "loss"] if ours else []:
        found = catalogue.find(kind, name)
        if found is not None:
            return found
    raise TypeError(
        f"Could not locate function '{name}'. Make sure custom functions are registered with "
        f"`@seqonnx.saving.register_keras_serializable()`, or pass it in `custom_objects`, as "
        f"{{'{name}': {name}}}. Full object config: {dict(value)}"
    )


def _object(value: Mapping[str, Any], custom: Mapping[str, Any], safe: bool) -> Any:
    """An object of a class."""
    name, inner = str(value["class_name"]), value["config"] or {}
    own = None
    for known in (str(value.get("registered_name") or name), name):
        own = registration.own_object(known, custom) if own is None else own
    module = str(value.get("module") or "")
    if own is None and name in POLICIES:
        return policy_name(inner)
    if own is None and _is_layer(value, module):
        return layer_from(value, custom, safe)
    cls = own
    if cls is None and name == "FeatureSpace":
        space = FeatureSpace.from_config(inner)
        restore_build(space, value)
        return space
    if cls is None:
        kinds = [kind for part, kind in _KINDS.items() if part in module.split(".")]
        cls = next(filter(None, (catalogue.find(kind, name) for kind in kinds)), None)
    if cls is None:
        raise TypeError(
            f"Could not locate class '{name}'. Make sure custom classes and functions are "
            "decorated with `@seqonnx.saving.register_keras_serializable()`, or pass it in "
            f"`custom_objects`, as {{'{name}': {name}}}. Full object config: {dict(value)}"
        )
    if not inspect.isclass(cls):
        return cls
    arguments = {key: _argument(item, custom, safe) for key, item in inner.items()}
    with registration.CustomObjectScope({**registration.scope(), **custom}):
        from_config = getattr(cls, "from_config", None)
        made = cls(**arguments) if from_config is None else from_config(arguments)
    return made


def _argument(value: Any, custom: Mapping[str, Any], safe: bool) -> Any:
    """An argument of an object: a string that names something is left to its constructor."""
    return value if isinstance(value, str) else _revived(value, custom, safe)


def _is_layer(value: Mapping[str, Any], module: str) -> bool:
    """Whether an entry is a layer, a model or a function of tensors of Keras's."""
    parts = module.split(".")
    named = any(part in parts for part in ("layers", "models", "ops")) or module in {"keras", ""}
    return named and str(value["class_name"]) in {*KNOWN, "Sequential", "Functional", "Model"}


def layer_from(entry: Mapping[str, Any], custom: Mapping[str, Any], safe: bool = True) -> Any:
    """Return the layer or the model that Keras's entry describes, with new weights.

    Raises:
        ModelFileError: if seqonnx has no such layer.
    """
    known = keras_catalogue(custom, safe=safe)
    if str(entry["class_name"]) in {"Sequential", "Functional", "Model"}:
        return deserialize_part(model_config(entry, known, "The configuration"), custom)
    if str(entry["class_name"]) not in known.known:
        raise ModelFileError(f"seqonnx has no layer '{entry['class_name']}'.")
    return deserialize_part(translate(entry, known), custom)


def keras_catalogue(custom: Mapping[str, Any], *, safe: bool = True) -> Catalogue:
    """Return the names that a file of Keras's may use.

    Args:
        custom: classes and functions of the user's own, by name.
        safe: whether lambdas are refused.
    """
    known = {name: cls for name, cls in KNOWN.items() if name not in NOT_OF_KERAS}
    found = catalogue.entries("op").items()
    signatures = {name: inspect.signature(each) for name, each in found}
    return Catalogue(known, {**registration.all_known(), **custom}, signatures, safe)
