"""A live Keras 3 model, of whatever backend, as a model of seqonnx."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqonnx.models.loading import load_model
from seqonnx.models.model import Model


def from_keras(model: Any, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Return a model with the layers, weights and compile state of a live Keras 3 model.

    Keras writes the model into a temporary `.keras` file; nothing of Keras is imported here. The
    copy goes on on its own: neither model sees what the other learns.

    Args:
        model: a `keras.Model` of any backend, built.
        custom_objects: for layers, losses and metrics of one's own: the same things written with
            seqonnx, by the names of those of the model.

    Returns:
        The model, compiled with the state of the optimizer if that of Keras was.

    Raises:
        TypeError: if it is no Keras 3 model.
        ModelFileError: if it needs what seqonnx lacks.

    Example:
        >>> model = from_keras(keras.applications.MobileNetV2())  # doctest: +SKIP
    """
    if isinstance(model, Model):
        return model
    names = [f"{base.__module__}.{base.__name__}" for base in type(model).__mro__]
    if not any(name.startswith("keras.") and name.endswith(".Model") for name in names):
        legacy = any(name.startswith(("tf_keras.", "tensorflow.")) for name in names)
        remedy = (
            " Save a model of Keras 2 with `model.save('m.h5')` and load that with "
            "`seqonnx.load_model`."
            if legacy
            else ""
        )
        raise TypeError(
            f"`from_keras` expects a model of Keras 3, as `keras.Sequential` or `keras.Model` "
            f"makes. Received: {model!r} of type {type(model)}.{remedy}"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return load_model(path, custom_objects)
