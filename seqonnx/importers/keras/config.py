"""Keras's JSON for layers, turned into what `seqonnx.layers.deserialize` takes.

Nothing is imported and nothing is run: a class is one that seqonnx has, one that is registered, or
one that the caller passed in `custom_objects`. Python code inside a file (a lambda, a pickled
function) is refused, but for a lambda where the caller trusts the file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast

from seqonnx import dtypes
from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.code import is_lambda, trusted_function

MODELS: Final = ("Sequential", "Functional", "Model")
"""Classes of Keras models that hold layers."""

POLICIES: Final = ("DTypePolicy", "QuantizedDTypePolicy", "Int4DTypePolicy")
"""Keras's classes of policies that seqonnx has."""

_CODE: Final = ("__lambda__", "Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
_UNSAFE: Final = (
    "If you trust the file, load it with `safe_mode=False`, or call "
    "`seqonnx.config.enable_unsafe_deserialization()`."
)
_WITHOUT_EFFECT: Final = ("seed", "autocast", "input_axes", "output_axes", "optional", "ragged")


@dataclass(frozen=True)
class Catalogue:
    """The names that a file may use.

    Args:
        known: classes of seqonnx by their Keras names.
        custom: the caller's own objects, by name.
        functions: functions of tensors by their Keras names, as they are called.
        safe: whether a lambda in the file is refused; else its code is run.
    """

    known: Mapping[str, type]
    custom: Mapping[str, Any]
    functions: Mapping[str, inspect.Signature] = field(default_factory=dict)
    safe: bool = True

    def find(self, entry: Mapping[str, Any]) -> Any:
        """Return the class that an entry names, or None."""
        name = self.name_of(entry)
        return None if name is None else self.custom.get(name, self.known.get(name))

    def name_of(self, entry: Mapping[str, Any]) -> str | None:
        """Return the name under which the caller or seqonnx has the class of an entry, or None."""
        for name in (entry.get("registered_name"), entry.get("class_name")):
            if name in self.custom:
                return str(name)
        module = str(entry.get("module") or "keras")
        name = str(entry.get("class_name"))
        ours = module.partition(".")[0] in {"keras", "tf_keras", "tensorflow"}
        return name if ours and name in self.known else None


def missing_layers(
    config: Mapping[str, Any],
    catalogue: Catalogue,
    is_function: Callable[[Mapping[str, Any]], bool] = lambda entry: False,
) -> dict[str, list[str]]:
    """Return the classes that a model needs and seqonnx lacks, each with the layers of it.

    Args:
        config: configuration of a model.
        catalogue: what there is.
        is_function: whether an entry is a function of tensors that there is.

    Returns:
        Names of layers by class; empty if everything is there.

    Raises:
        ModelFileError: if a layer holds Python code.
    """
    missing: dict[str, list[str]] = {}
    stack = [config]
    while stack:
        entry = stack.pop()
        name = str(entry.get("class_name"))
        inner = entry.get("config") or {}
        label = str(inner.get("name", entry.get("name", name)))
        if name in _CODE and name not in catalogue.custom and _holds_code(entry, catalogue):
            raise ModelFileError(
                f"Layer '{label}' ({name}) holds Python code, which is never run from a file. "
                f"{_UNSAFE if name == 'Lambda' else ''} Or pass a class of your own in "
                f"`custom_objects`, as {{'{name}': ...}}, or save the model without it."
            )
        if name in MODELS and catalogue.find(entry) is None:
            stack.extend(reversed(layer_entries(inner)))
        elif name != "InputLayer" and catalogue.find(entry) is None and not is_function(entry):
            missing.setdefault(name, []).append(label)
    return missing


def _holds_code(entry: Mapping[str, Any], catalogue: Catalogue) -> bool:
    """Whether a layer holds code; a Lambda may also name a function."""
    if entry.get("class_name") != "Lambda":
        return True
    held = [item for item in (entry.get("config") or {}).values() if isinstance(item, Mapping)]
    return catalogue.safe and any(is_lambda(item) for item in held)


def layer_entries(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of a model's layers.

    Raises:
        ModelFileError: if there are none.
    """
    layers = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(layers, Sequence) or not all(isinstance(entry, Mapping) for entry in layers):
        raise ModelFileError("The configuration of a model is damaged: it lists no layers.")
    return list(layers)


def translate(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return a layer as `seqonnx.layers.deserialize` takes it.

    Args:
        entry: Keras's entry of a layer.
        catalogue: what there is.

    Returns:
        Class and arguments; arguments that change nothing are left out.

    Raises:
        ModelFileError: if an argument asks for something that seqonnx's layer does not have.
    """
    name = str(entry["class_name"])
    cls = catalogue.find(entry)
    accepted = _accepted(cls)
    arguments: dict[str, Any] = {}
    config = entry.get("config") or {}
    for key, value in config.items():
        plain = _plain(key, value, catalogue)
        if key in accepted:
            arguments[key] = plain
        elif not _changes_nothing(key, plain):
            raise ModelFileError(
                f"Layer '{config.get('name')}' ({name}) has {key}={value!r}, which seqonnx's "
                f"{name} does not have. It takes: {', '.join(sorted(accepted))}."
            )
    return {"class_name": catalogue.name_of(entry), "config": arguments} | shared_number(entry)


def shared_number(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of a layer that stands in several places of a model, in an entry."""
    number = entry.get("shared_object_id")
    return {"shared_object_id": number} if isinstance(number, int) else {}


def keras_arguments(
    cls: type, config: Mapping[str, Any], known: Mapping[str, type]
) -> dict[str, Any]:
    """Return the arguments of a layer from what Keras's layer of the same name returns.

    Args:
        cls: class of the layer.
        config: what `get_config` of Keras's layer returned.
        known: layer classes that may stand inside, by their Keras names.

    Raises:
        ModelFileError: see `translate`.
    """
    catalogue = Catalogue(known, {cls.__name__: cls})
    arguments: dict[str, Any] = translate(
        {"class_name": cls.__name__, "config": config}, catalogue
    )["config"]
    return arguments


def translate_input(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an InputLayer.

    Raises:
        ModelFileError: if it asks for sparse or ragged data.
    """
    for key in ("sparse", "ragged"):
        if config.get(key):
            raise ModelFileError(f"Input '{config.get('name')}' is {key}, which seqonnx lacks.")
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    if not isinstance(shape, Sequence):
        raise ModelFileError(f"Input '{config.get('name')}' has no shape.")
    arguments = {
        "batch_shape": list(shape),
        "dtype": dtypes.DTypePolicy.of(_dtype(config.get("dtype"))).variable_dtype,
        "name": config.get("name"),
    }
    return arguments | ({"optional": True} if config.get("optional") else {})


@lru_cache(maxsize=256)
def _accepted(cls: Callable[..., Any]) -> frozenset[str]:
    """Arguments that a class and those it derives from take."""
    names: set[str] = set()
    for base in inspect.getmro(cast(type, cls))[:-1]:
        # mypy distrusts `__init__` of a class that is a variable; its signature is only read.
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        names |= {p.name for p in parameters if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}}
    return frozenset(names - {"self"})


def _changes_nothing(key: str, value: Any) -> bool:
    return value is None or value is False or key in _WITHOUT_EFFECT


def _plain(key: str, value: Any, catalogue: Catalogue) -> Any:
    """An argument without Keras's wrapping."""
    if key == "dtype":
        return _dtype(value)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, list):
        return [_plain("", item, catalogue) for item in value]
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    name, inner = str(value["class_name"]), value.get("config")
    if name == "__tuple__":
        return [_plain("", item, catalogue) for item in value.get("items", ())]
    if name in {"__numpy__", "__tensor__"} and isinstance(inner, Mapping):
        return inner.get("value")
    if name in catalogue.custom:
        return {"class_name": name, "config": inner}
    if name == "function":
        return _function(value, catalogue)
    if name == "__lambda__" and not catalogue.safe:
        return trusted_function(value, safe=False)
    if name in _CODE or name.startswith("__"):
        raise ModelFileError(
            f"Argument `{key}` holds Python code ({name}), which is never run from a file."
            f"{f' {_UNSAFE}' if name == '__lambda__' else ''}"
        )
    return _wrapped(key, name, value, catalogue)


def _wrapped(key: str, name: str, value: Mapping[str, Any], catalogue: Catalogue) -> Any:
    """An initializer, regularizer or constraint, or a layer given as an argument."""
    if name in catalogue.known:
        return translate(value, catalogue)
    config = value.get("config") or {}
    if not isinstance(config, Mapping):
        raise ModelFileError(f"Argument `{key}` is damaged: {value!r}.")
    arguments = {inner: _plain(inner, item, catalogue) for inner, item in config.items()}
    return {"class_name": name, "config": arguments}


def _function(value: Mapping[str, Any], catalogue: Catalogue) -> Any:
    """A function that the file knows by its name."""
    name = str(value.get("config"))
    for known in (value.get("registered_name"), name):
        if known in catalogue.custom:
            return catalogue.custom[str(known)]
    if str(value.get("module", "")).partition(".")[0] == "keras":
        return name
    raise ModelFileError(
        f"The file names a function '{name}' of its author's. Pass it in `custom_objects`, as "
        f"{{'{name}': {name}}}."
    )


def _dtype(value: Any) -> str:
    """Dtype, or the name of a policy, behind a name or a policy."""
    if isinstance(value, Mapping):
        value = policy_name(value.get("config") or {})
    return "float32" if value is None else str(value)


def policy_name(config: Mapping[str, Any]) -> str | None:
    """Return the name of a policy of Keras's, such as `"mixed_float16"`, `"int8_from_float32"`.

    Args:
        config: arguments of its constructor.
    """
    if "mode" in config:
        return f"{config['mode']}_from_{config.get('source_name')}"
    return config.get("name")
