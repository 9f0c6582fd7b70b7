"""The architecture of a model as JSON, as Keras writes it, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from seqonnx.contexts import in_own_context
from seqonnx.export.keras_models import model_entry
from seqonnx.layers.network import Network
from seqonnx.layers.subclassing import build_again, built_from
from seqonnx.models.keras_files import compile_config, model_from_entry
from seqonnx.models.keras_objects import deserialize_keras_object
from seqonnx.registration import in_safe_mode, set_safe_mode
from seqonnx.training.sessions import Sessions


def to_json(sessions: Sessions, arguments: Mapping[str, Any]) -> str:
    """Return a model as JSON (see `Model.to_json`)."""
    entry = model_entry(sessions.network)
    entry["compile_config"] = compile_config(sessions.compilation)
    return json.dumps(entry, **arguments)


@in_own_context
def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model, with new weights, from what `Model.to_json` returned, here or in Keras.

    Args:
        json_string: the JSON.
        custom_objects: classes and functions of one's own, by name.

    Returns:
        The model, compiled if it was.

    Raises:
        ModelFileError: if it is damaged, or needs what seqonnx lacks; and for the code of a lambda,
            unless `config.enable_unsafe_deserialization()` was called.

    Example:
        >>> from seqonnx import Input, Sequential, layers
        >>> model = Sequential([Input((2,)), layers.Dense(3)])
        >>> model_from_json(model.to_json()).output_shape
        (None, 3)
    """
    safe = in_safe_mode()
    set_safe_mode(safe)
    custom = custom_objects or {}
    entry = json.loads(json_string)
    model = model_from_entry(entry, custom, safe, "The JSON of a model")
    if entry.get("compile_config"):
        model.compile_from_config(deserialize_keras_object(entry["compile_config"], custom))
    return model


def build_config(network: Network) -> dict[str, Any] | None:
    """Return the shapes that a model was built for (see `Model.get_build_config`)."""
    if not network.built:
        return None
    own: dict[str, Any] | None = built_from(network).get("build_config")
    return own or model_entry(network).get("build_config")


def build_from(network: Network, config: Mapping[str, Any]) -> None:
    """Build a model again (see `Model.build_from_config`)."""
    shape = config.get("input_shape")
    if shape is None or network.built:
        return
    if network._is_subclassed():
        build_again(network, {"build_config": config})
    else:
        network.build(shape)
