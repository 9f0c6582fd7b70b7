"""Keras's `legacy.saving`: objects in the form of Keras 2."""

from seqonnx.models.legacy_objects import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def __dir__() -> list[str]:
    return __all__
