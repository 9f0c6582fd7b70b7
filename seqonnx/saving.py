"""Keras's `saving`: registered classes, configurations and whole models."""

from __future__ import annotations

from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.models.keras_objects import deserialize_keras_object
from seqonnx.models.loading import load_model
from seqonnx.models.saving_functions import load_weights, save_model, save_weights
from seqonnx.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
