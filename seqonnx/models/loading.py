"""Models from files: ours, Keras's, and whatever else is ONNX."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqonnx.contexts import in_own_context
from seqonnx.errors import ForeignFileError, ModelFileError
from seqonnx.export.checkpoint import Checkpoint, read_checkpoint
from seqonnx.export.keras_weights import ARCHIVE, READABLE
from seqonnx.garbage import search_paused
from seqonnx.graph import assign_together
from seqonnx.graph.budget import weights_at_most
from seqonnx.graph.damage import reading
from seqonnx.layers.architecture import network_class
from seqonnx.layers.core.input import Input
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.layers.subclassing import build_again
from seqonnx.models.formats import refuse_other_formats
from seqonnx.models.keras_files import load_keras_model
from seqonnx.models.legacy_files import load_legacy_model
from seqonnx.models.model import Model
from seqonnx.models.sequential import Sequential
from seqonnx.registration import in_safe_mode, set_safe_mode
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.checkpoint_state import Captured, compile_arguments, restore


@search_paused()
@in_own_context
def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Load a model that `save` wrote; it goes on as if it had not stopped.

    A file that another program wrote gives a model of one layer (see `layers.ONNXModel`), which
    is not compiled.

    Args:
        filepath: an `.onnx` file; or a `.keras` or legacy `.h5` file of Keras's, or written here,
            which needs `seqonnx[keras]`.
        custom_objects: classes and functions of one's own (layers, losses, metrics, optimizers,
            schedules), by name. Those that `register_keras_serializable` registered are known.
        compile: whether to compile the model as it was, with the state of its optimizer.
        safe_mode: whether a lambda in a file is refused; its code could do anything.
            After `config.enable_unsafe_deserialization()` it is not, as in Keras.

    Returns:
        The model, compiled if it was and `compile` says so.

    Raises:
        ModelFileError: if the file is absent, broken, of another format, or was written by
            `export`.
        ValueError: if it needs a class or a function that is not known.

    Example:
        >>> model = load_model("digits.onnx")  # doctest: +SKIP
    """
    path = Path(filepath)
    custom = {} if custom_objects is None else dict(custom_objects)
    safe = in_safe_mode(safe_mode)
    set_safe_mode(safe)
    with reading(path):
        return _load_model(path, custom, bool(compile), safe)


def _load_model(path: Path, custom: Mapping[str, Any], compiled: bool, safe: bool) -> Model:
    """Load a model of any format."""
    refuse_other_formats(path)
    if path.suffix in READABLE:
        load = load_keras_model if path.suffix == ARCHIVE else load_legacy_model
        model: Model = load(path, custom, compiled=compiled, safe=safe)
        return model
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
    return _revived(checkpoint, path, custom, compiled)


def _revived(
    checkpoint: Checkpoint, path: Path, custom: Mapping[str, Any], compiled: bool
) -> Model:
    """The model of a checkpoint, compiled if it was and is wanted."""
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
    if training is not None and compiled:
        with weights_at_most(held):
            model.compile(**compile_arguments(training.values, custom))
            restore(model._sessions, Captured(training.values, training.slots), path)
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
