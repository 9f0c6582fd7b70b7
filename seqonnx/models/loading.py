"""Files of a model: export, save, load."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from seqonnx.errors import ForeignFileError, ModelFileError
from seqonnx.export.checkpoint import read_checkpoint, write_checkpoint
from seqonnx.export.inference import Source, emit_inference
from seqonnx.export.weights import read_weights, write_weights
from seqonnx.graph import assign_together, read_together
from seqonnx.graph.budget import weights_at_most
from seqonnx.graph.damage import reading
from seqonnx.graph.files import EXTERNAL_FROM, write_model
from seqonnx.graph.writing import target_of
from seqonnx.layers.core.input import InputLayer
from seqonnx.models import keras_files, training_state
from seqonnx.layers.architecture import class_name_of, network_class
from seqonnx.report.model_rows import layer_infos
from seqonnx.symbolic import SymbolicTensor

if TYPE_CHECKING:
    from seqonnx.models.exportable import Exportable
    from seqonnx.models.model import Model


def export(model: Exportable, path: Path, outputs: str | Sequence[str] | None) -> None:
    """Write the inference graph (see `Model.export`)."""
    _check_suffix(path)
    if not model.built:
        raise ValueError(
            "The model provided has not yet been built. It must be built before export."
        )
    target_of(path)
    proto, _ = emit_inference(_source(model, outputs), folded=True)
    write_model(proto, path)


def to_onnx(model: Exportable) -> onnx.ModelProto:
    """Return the inference model with every weight as an initializer of its own."""
    return emit_inference(_source(model, None), folded=False)[0]


def save(model: Model, path: Path, *, external_from: int = EXTERNAL_FROM) -> None:
    """Write the model with everything needed to go on (see `Model.save`)."""
    _check_suffix(path)
    if not model.built:
        raise ValueError(
            f"Model '{model.name}' has not yet been built, so there is nothing to save. Call it on "
            "data or call `build()` first."
        )
    target_of(path)
    values, training = training_state.capture(model)
    write_checkpoint(_source(model, None, values), training, path, external_from=external_from)


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
    from seqonnx.models import foreign, keras_graph
    from seqonnx.models.model import Model

    if path.suffix == keras_files.ARCHIVE:
        return keras_graph.load_model(path, custom)
    try:
        checkpoint = read_checkpoint(path)
    except ForeignFileError:
        if len(custom) > 0:
            warnings.warn(
                f"`custom_objects` has no effect for {path}: another program wrote it, and its "
                "graph names no classes.",
                stacklevel=2,
            )
        return foreign.load_foreign_model(path)
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
    weights = model.weights
    have = [(array.shape, array.dtype.name) for array in checkpoint.weights]
    if [(weight.stored_shape, weight.dtype) for weight in weights] != have:
        raise ModelFileError(
            f"{path} is damaged: its weights do not have the shapes that its layers need."
        )
    assign_together(zip(weights, checkpoint.weights, strict=True))
    if checkpoint.training is not None:
        with weights_at_most(held):
            training_state.restore(model, checkpoint.training, path, custom)
    return model


def save_weights(model: Exportable, path: Path) -> None:
    """Write the weights (see `Model.save_weights`)."""
    if keras_files.is_keras_file(path):
        keras_files.save_weights(model, path)
    else:
        write_weights(model.weights, path)


def load_weights(model: Exportable, path: Path, skip_mismatch: bool, by_name: bool) -> None:
    """Read weights (see `Model.load_weights`)."""
    if not model.built:
        raise ValueError(
            "You are loading weights into a model that has not yet been built. Try building the "
            "model first by calling it on some data or by using `build()`."
        )
    if keras_files.is_keras_file(path):
        with reading(path, refusals=True):
            keras_files.load_weights(model, path, skip_mismatch=skip_mismatch, by_name=by_name)
    elif by_name:
        raise ValueError(
            f"`by_name=True` is for legacy `.h5` files of Keras's. Received: filepath={path}"
        )
    else:
        read_weights(model.weights, path, model.name, skip_mismatch=skip_mismatch)


def _source(
    model: Exportable,
    outputs: str | Sequence[str] | None,
    values: training_state.Values | None = None,
) -> Source:
    """The model as the exporter sees it, with given values of its weights or those of now."""
    weights = model.weights
    if values is None:
        values = dict(zip(weights, read_together(weights)[1], strict=True))
    return Source(
        name=model.name,
        inputs=model.inputs,
        outputs=_chosen_outputs(model, outputs),
        layers=layer_infos(model),
        config={"class_name": class_name_of(model), "config": model.get_config()},
        weights=weights,
        values=values,
    )


def _chosen_outputs(
    model: Exportable, outputs: str | Sequence[str] | None
) -> list[tuple[str, SymbolicTensor]]:
    """Names and tensors of the graph's outputs."""
    if outputs is None:
        return list(zip(model.output_names, model.outputs, strict=True))
    names = [layer.name for layer in model.layers if not isinstance(layer, InputLayer)]
    if isinstance(outputs, str) and outputs != "all":
        raise ValueError(
            "`outputs` must be 'all' or a list of layer names. "
            f"Received: outputs={outputs!r}. Layers are: {names}"
        )
    wanted = names if outputs == "all" else list(outputs)
    return [(name, model._outputs_of(model.get_layer(name))[0]) for name in wanted]


def _check_suffix(path: Path) -> None:
    if path.suffix != ".onnx":
        raise ValueError(
            f"Invalid filepath extension: models are written as `.onnx`. Received: filepath={path}"
        )
