"""Objects as Keras 3.15 writes them into its files: module, class, configuration, registered name.

The configuration is what `get_config` returns. What stands in it as class and arguments alone gets
Keras's module, and a class of seqonnx the entries that only Keras's class has.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any, Final

import numpy as np

from seqonnx import catalogue, registration
from seqonnx.dtypes import DTypePolicy, plain_value
from seqonnx.graph.signatures import spelling_of
from seqonnx.importers.keras.code import dump_function
from seqonnx.symbolic import SymbolicTensor

_MODULES: Final = {
    "layer": "keras.layers",
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "schedule": "keras.optimizers.schedules",
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "activation": "keras.activations",
    "quantizer": "keras.quantizers",
}
"""Keras's public modules by kind, in the order in which a class is looked for."""

_ENDINGS: Final = {
    "_initializer": "initializer",
    "_regularizer": "regularizer",
    "_constraint": "constraint",
    "learning_rate": "schedule",
    "optimizer": "optimizer",
    "_quantizer": "quantizer",
    "quantization_config": "quantizer",
}
"""Kinds of arguments by the endings of their names."""

_FANS: Final = {"input_axes": None, "output_axes": None}
_QUANTIZED: Final = {"quantization_config": None}
_ACTIVE: Final = {"activity_regularizer": None}
_ONLY_KERAS: Final[dict[str, dict[str, Any]]] = {
    "Dense": _QUANTIZED,
    **dict.fromkeys(("EinsumDense", "Embedding", "ReversibleEmbedding"), _ACTIVE | _QUANTIZED),
    **dict.fromkeys(
        (
            *("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose"),
            *("Conv3DTranspose", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D"),
            *("DepthwiseConv2D", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D"),
            *("ConvLSTM3D", "MultiHeadAttention", "GroupQueryAttention"),
        ),
        _ACTIVE,
    ),
    **dict.fromkeys(
        (
            *("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform"),
            *("LecunNormal", "VarianceScaling"),
        ),
        _FANS,
    ),
    "BatchNormalization": {
        "synchronized": False,
        "renorm": False,
        "renorm_clipping": None,
        "renorm_momentum": 0.99,
    },
}
"""Entries that Keras's configurations have and ours have not, with the values that they mean."""

_PLAIN_DTYPE: Final = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Discretization")
_ABSENT: Final = {"SimpleRNN": ("seed",)}
"""Entries of ours that Keras's class writes nowhere."""


def serialize_keras_object(obj: Any) -> Any:
    """Return an object as plain values that JSON can hold, as Keras's files do.

    Args:
        obj: a layer, model, loss, metric, optimizer, schedule, initializer, regularizer,
            constraint or function; a number, string, array, slice or symbolic tensor; or lists,
            tuples and dicts of them.

    Raises:
        TypeError: for something else.

    Example:
        >>> serialize_keras_object(slice(0, 2))["config"]
        {'start': 0, 'stop': 2, 'step': None}
    """
    if obj is None or isinstance(obj, str | bool | int | float):
        return plain_value(obj)
    if type(obj) in {list, tuple}:
        return type(obj)(serialize_keras_object(item) for item in obj)
    if isinstance(obj, Mapping):
        return {key: serialize_keras_object(item) for key, item in obj.items()}
    special = _special(obj)
    if special is not None:
        return special
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and obj.ndim == 0):
        return obj.item()
    if isinstance(obj, catalogue.FromUserFunction):
        return _function(obj.function)
    if isinstance(obj, types.FunctionType | types.BuiltinFunctionType | type):
        return _function(obj)
    if callable(getattr(obj, "get_config", None)):
        return object_entry(obj)
    if getattr(obj, "__name__", None) is not None:
        return _function(obj)
    raise TypeError(
        f"Cannot serialize object {obj} of type {type(obj)}. To be serializable, a class must "
        "implement the `get_config()` method."
    )


@singledispatch
def object_entry(thing: Any) -> dict[str, Any]:
    """Return an object that has a configuration as Keras writes it; `keras_models` adds models."""
    return entry_of(thing, thing.get_config())


def entry_of(thing: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return module, class, configuration and registered name of an object.

    Args:
        thing: the object.
        config: its configuration, as its own `get_config` returned it.

    Raises:
        TypeError: if that is no dict.
    """
    if not isinstance(config, Mapping):
        raise TypeError(
            f"The `get_config()` method of {thing} should return a dict. It returned: {config}"
        )
    kind = kind_of(type(thing))
    name = catalogue.saved_name(type(thing))
    if kind is None:
        return {
            "module": type(thing).__module__,
            "class_name": type(thing).__name__,
            "config": _annotated_config(config, "layer"),
            "registered_name": registration.get_registered_name(type(thing)),
        }
    return _built_in(kind, name, config)


def kind_of(cls: type) -> str | None:
    """Return the kind of a class of seqonnx that Keras has, too; None for the user's own."""
    return next((kind for kind in _MODULES if catalogue.is_own(kind, cls)), None)


def annotated(entry: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """Return class and arguments, as seqonnx writes them, with what Keras writes beside them.

    Args:
        entry: `{"class_name": ..., "config": {...}}`.
        key: name of the argument that it is.
    """
    special = str(entry.get("class_name")).startswith("__")
    if special or "module" in entry or not isinstance(entry.get("config"), Mapping):
        return dict(entry)
    name, config = str(entry["class_name"]), entry["config"]
    wanted = next((kind for end, kind in _ENDINGS.items() if key.endswith(end)), None)
    kinds = list(_MODULES) if wanted is None else [wanted]
    own = registration.own_object(name, None) or registration.registered_by_class(name)
    if own is None:
        for kind in kinds:
            found = catalogue.entries(kind).get(name)
            if found is not None:
                return _built_in(kind, catalogue.saved_name(found), config)
    return {
        "module": None if own is None else own.__module__,
        "class_name": name if own is None else own.__name__,
        "config": _annotated_config(config, "layer"),
        "registered_name": name,
    }


def dtype_policy(name: str) -> dict[str, Any]:
    """Return the name of a policy as Keras writes it."""
    policy = DTypePolicy.of(name)
    quantized = policy.quantization_mode is not None
    return {
        "module": "keras.dtype_policies" if quantized else "keras",
        "class_name": type(policy).__name__,
        "config": policy.get_config(),
        "registered_name": None,
    }


def _built_in(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a class of seqonnx that Keras has, too."""
    # A few layers of Keras's write the name of their policy alone.
    plain = name in _PLAIN_DTYPE
    full = {**_annotated_config(config, "" if plain else kind), **_missing(name, config)}
    for key in _ABSENT.get(name, ()):
        full.pop(key, None)
    if name in {"LayerNormalization", "RMSNormalization"} and isinstance(full.get("axis"), int):
        full["axis"] = [full["axis"]]
    if name == "L1" or kind == "optimizer":
        full = {key: _single(key, item) for key, item in full.items()}
    return {
        "module": _MODULES[kind],
        "class_name": name,
        "config": full,
        "registered_name": None,
    }


def _missing(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Entries that only Keras's configuration has."""
    return {key: value for key, value in _ONLY_KERAS.get(name, {}).items() if key not in config}


def _single(key: str, value: Any) -> Any:
    """A number that Keras keeps as a float32."""
    wanted = isinstance(value, float) and key in {"l1", "learning_rate"}
    return float(np.float32(value)) if wanted else value


def _annotated_config(config: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A configuration with the parts in it as Keras writes them."""
    return {key: _part(key, value, kind) for key, value in config.items()}


def _part(key: str, value: Any, kind: str) -> Any:
    """One argument in a configuration."""
    if key == "dtype" and kind == "layer" and isinstance(value, str):
        return dtype_policy(value)
    if isinstance(value, list | tuple):
        return [_part(key if key != "dtype" else "", item, kind) for item in value]
    if isinstance(value, Mapping) and "class_name" in value and "config" in value:
        return annotated(value, key)
    if isinstance(value, Mapping):
        return {inner: _part(inner, item, "") for inner, item in value.items()}
    return serialize_keras_object(value)


def _special(obj: Any) -> dict[str, Any] | None:
    """Return the class that Keras has for a thing in files (`__slice__`); None for others."""
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        bounds = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialize_keras_object(bounds)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, SymbolicTensor):
        owner = obj._source if obj._call is None else obj._call.layer
        number = 0 if obj._call is None else obj._call.index
        name = getattr(owner, "name", obj.name)
        return keras_tensor(obj, [name, number, obj._index])
    if isinstance(obj, np.ndarray) and obj.ndim > 0:
        values = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": values}
    if isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        warnings.warn(
            f"A lambda is being serialized, {obj!r}: whoever loads the file must trust it and pass "
            "`safe_mode=False`. Use a function made with `def`, and register it.",
            stacklevel=4,
        )
        return {"class_name": "__lambda__", "config": {"value": dump_function(obj)}}
    return None


def keras_tensor(tensor: SymbolicTensor, history: list[Any]) -> dict[str, Any]:
    """Return a tensor of the layer graph as Keras writes it.

    Args:
        tensor: the tensor.
        history: name of its layer, number of the call, number of the output.
    """
    config = {"shape": list(tensor.shape), "dtype": tensor.dtype, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _function(function: Callable[..., Any]) -> dict[str, Any]:
    """A function, or a class, by its name."""
    for kind in ("activation", "loss", "metric"):
        if catalogue.is_own(kind, function):
            name = catalogue.saved_name(function)
            return _named(_MODULES[kind], name, name)
    registered = registration.get_registered_name(function)
    return _named(function.__module__, registered, registered)


def _named(module: str, name: str, registered: str) -> dict[str, Any]:
    # What the user's program itself defines can be found nowhere else.
    return {
        "module": None if module == "__main__" else module,
        "class_name": "function",
        "config": name,
        "registered_name": registered,
    }


def is_written_with_op(thing: Any) -> bool:
    """Return whether a user's function, or an object's `call`, takes the emitter `op` first."""
    method = getattr(thing, "call", thing)
    try:
        return spelling_of(method).emits
    except (TypeError, ValueError):
        return False
