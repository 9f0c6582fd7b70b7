"""Models from files: ours, Keras's, and whatever else is ONNX."""

from __future__ import annotations

import inspect
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqonnx.catalogue import entries
from seqonnx.errors import ForeignFileError, ModelFileError
from seqonnx.export.checkpoint import Checkpoint, read_checkpoint
from seqonnx.export.keras_vocabularies import load_vocabularies
from seqonnx.export.keras_weights import ARCHIVE, part_of
from seqonnx.graph import assign_together
from seqonnx.graph.budget import weights_at_most
from seqonnx.graph.damage import reading
from seqonnx.importers.keras.archive import open_archive
from seqonnx.importers.keras.config import Catalogue
from seqonnx.importers.keras.graph import DAMAGED, model_config
from seqonnx.importers.keras.hdf5 import open_hdf5
from seqonnx.importers.keras.parts import assign
from seqonnx.importers.keras.weights import match_weights
from seqonnx.layers.architecture import deserialize_part, network_class
from seqonnx.layers.core.input import Input
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.layers.serialization import KNOWN
from seqonnx.layers.subclassing import build_again
from seqonnx.models.model import Model
from seqonnx.models.sequential import Sequential
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.checkpoint_state import Captured, compile_arguments, restore

_NOT_OF_KERAS = ("ONNXModel",)
_EXPANSION = 100
"""How many times smaller the weights may be in a file of Keras's: HDF5 compresses."""


def load_model(
    filepath: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
) -> Model:
    """Load a model that `save` wrote; it goes on as if it had not stopped.

    A file that another program wrote gives a model of one layer (see `layers.ONNXModel`), which
    is not compiled.

    Args:
        filepath: an `.onnx` file; or a `.keras` file of Keras's, which gives a model with its
            weights, not compiled, and needs `seqonnx[keras]`.
        custom_objects: classes and functions of one's own (layers, losses, metrics, optimizers,
            schedules), by name.

    Returns:
        The model, compiled if it was.

    Raises:
        ModelFileError: if the file is absent, broken, or was written by `export`.
        ValueError: if it needs a class or a function that is not known.

    Example:
        >>> model = load_model("digits.onnx")  # doctest: +SKIP
    """
    path = Path(filepath)
    custom = {} if custom_objects is None else dict(custom_objects)
    with reading(path):
        return _load_model(path, custom)


def _load_model(path: Path, custom: Mapping[str, Any]) -> Model:
    """Load a model of any format."""
    if path.suffix == ARCHIVE:
        return _load_keras_model(path, custom)
    try:
        checkpoint = read_checkpoint(path)
    except ForeignFileError:
        if len(custom) > 0:
            warnings.warn(
                f"`custom_objects` has no effect for {path}: another program wrote it, and its "
                "graph names no classes.",
                stacklevel=3,
            )
        return _load_foreign_model(path)
    return _revived(checkpoint, path, custom)


def _revived(checkpoint: Checkpoint, path: Path, custom: Mapping[str, Any]) -> Model:
    """The model of a checkpoint, compiled if it was."""
    class_name = str(checkpoint.config["class_name"])
    cls = network_class(class_name, custom)
    if cls is None or not issubclass(cls, Model):
        raise ModelFileError(
            f"{path} holds a model of class {class_name}, which is not known. Pass the class in "
            f"`custom_objects`, as {{'{class_name}': {class_name}}}."
        )
    held = sum(array.nbytes for array in checkpoint.weights)
    with weights_at_most(held):
        model = cls.from_config(dict(checkpoint.config["config"]), custom)
        build_again(model, checkpoint.config)
    weights = model.weights
    have = [(array.shape, array.dtype.name) for array in checkpoint.weights]
    if [(weight._stored_shape, weight.dtype) for weight in weights] != have:
        raise ModelFileError(
            f"{path} is damaged: its weights do not have the shapes that its layers need."
        )
    assign_together(zip(weights, checkpoint.weights, strict=True))
    training = checkpoint.training
    if training is not None:
        with weights_at_most(held):
            model.compile(**compile_arguments(training.values, custom))
            restore(model._sessions, Captured(training.values, training.slots), path)
    return model


def _load_keras_model(path: Path, custom: Mapping[str, Any]) -> Model:
    """The model of a `.keras` file with its weights; it is not compiled."""
    known = {name: cls for name, cls in KNOWN.items() if name not in _NOT_OF_KERAS}
    with open_archive(path) as archive:
        with weights_at_most(archive.held, factor=_EXPANSION):
            signatures = {name: inspect.signature(each) for name, each in entries("op").items()}
            catalogue = Catalogue(known, custom, signatures)
            config = model_config(archive.config, catalogue, path)
            model = _built(config, custom, path)
        with open_hdf5(path, archive.weights) as file:
            matched, failures = match_weights(file, part_of(model))
            load_vocabularies(model, archive.vocabularies, file)
    assign(matched, failures, path, skip=False)
    return model


def _built(config: Mapping[str, Any], custom: Mapping[str, Any], path: Path) -> Model:
    """A model from what was Keras's configuration."""
    try:
        model = deserialize_part(config, custom)
    except DAMAGED as error:
        raise ModelFileError(f"{path} is damaged: {error!r} in its configuration.") from error
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be loaded. {error}") from error
    assert isinstance(model, Model)
    return model


def _load_foreign_model(path: Path) -> Model:
    """A model of one layer, an `ONNXModel`, with the inputs of the file.

    It is a `Sequential` where the network has one input and one output, which can be saved and
    loaded; else a `Model`.
    """
    layer = ONNXModel(path, trainable=False)
    layer.trainable = True  # from now on: who only predicts need not hear that nothing trains
    inputs = [
        Input(batch_shape=shape, dtype=dtype, name=_plain(name))
        for name, (shape, dtype) in layer.signature.items()
    ]
    outputs = layer(inputs if layer._takes_list else inputs[0])
    if len(inputs) == 1 and isinstance(outputs, SymbolicTensor):
        return Sequential([inputs[0], layer], name=_plain(path.stem))
    return Model(inputs, outputs, name=_plain(path.stem))


def _plain(name: str) -> str:
    """A foreign name as one that a layer may have."""
    return re.sub(r"/+", "_", name.strip("/")) or "input"
