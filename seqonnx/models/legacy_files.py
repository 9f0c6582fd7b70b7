"""Whole models in Keras's legacy `.h5` files, both ways."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seqonnx.errors import ModelFileError
from seqonnx.export.keras_archive import KERAS_VERSION
from seqonnx.export.keras_models import model_entry
from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.export.keras_weights import legacy_parts
from seqonnx.graph.budget import weights_at_most
from seqonnx.graph.writing import replacing
from seqonnx.importers.keras.hdf5 import Group, find_dataset, open_hdf5, read_dataset, read_names
from seqonnx.importers.keras.heaps import refuse_endless_heaps
from seqonnx.importers.keras.legacy import legacy_content, legacy_group, match_in_order
from seqonnx.importers.keras.parts import assign
from seqonnx.models.keras_files import (
    EXPANSION,
    check_keras_parts,
    compile_config,
    deserialize_or_fail,
    model_from_entry,
)
from seqonnx.training.optimizer_state import restore_optimizer, snapshot
from seqonnx.training.sessions import Sessions

_COMPILED: Final = ("loss", "loss_weights", "metrics", "weighted_metrics")
_MODULES: Final = {
    "loss": "keras.losses",
    "metrics": "keras.metrics",
    "weighted_metrics": "keras.metrics",
    "optimizer": "keras.optimizers",
}


def save_legacy_model(sessions: Sessions, path: Path, *, include_optimizer: bool) -> None:
    """Write a legacy `.h5` file of Keras's; warns, as Keras does.

    Args:
        sessions: of the model.
        path: the file; an earlier one is replaced only when the new one is whole.
        include_optimizer: whether to write what `compile` was given, and the optimizer's state.

    Raises:
        ValueError: for parts that Keras does not have, or could not find again.
    """
    warnings.warn(
        "HDF5 files of whole models are Keras's legacy format. Save as `.keras`, or as `.onnx`, "
        f"instead. Received: filepath={path}",
        stacklevel=5,
    )
    network, compilation = sessions.network, sessions.compilation
    entry = model_entry(network)
    attributes = {
        "keras_version": KERAS_VERSION,
        "backend": "seqonnx",
        "model_config": json.dumps({key: entry[key] for key in ("class_name", "config")}),
    }
    if compilation is not None and include_optimizer:
        check_keras_parts(compilation)
        config = compile_config(compilation)
        training = {key: config[key] for key in _COMPILED}
        optimizer = serialize_keras_object(compilation.optimizer)
        training["optimizer_config"] = {key: optimizer[key] for key in ("class_name", "config")}
        attributes["training_config"] = json.dumps(training)
    state = snapshot(sessions, include_optimizer=include_optimizer)
    layers = [
        (part.name, [(v.path, v._shown(state.weights[v])) for v in part.variables])
        for part in legacy_parts(network)
    ]
    content = legacy_content(attributes, layers, state.optimizer)
    with replacing(path) as file:
        file.write(content)


def load_legacy_model(path: Path, custom: Mapping[str, Any], *, compiled: bool, safe: bool) -> Any:
    """Return the model of a legacy `.h5` file with its weights, compiled if it was.

    Args:
        path: the file.
        custom: classes and functions of the user's own, by name.
        compiled: whether to compile it and to read the state of its optimizer.
        safe: whether lambdas are refused.

    Raises:
        ModelFileError: if the file is broken, or holds weights alone.
    """
    with open_hdf5(path) as file:
        refuse_endless_heaps(path)
        config = _json(file, "model_config", path)
        group = legacy_group(file)
        if config is None or group is None:
            raise ModelFileError(
                f"No model config found in the file at {path}: it holds weights alone. Build the "
                "model and call `model.load_weights`."
            )
        with weights_at_most(path.stat().st_size, factor=EXPANSION):
            model = model_from_entry(config, custom, safe, path)
        matched = match_in_order(group, legacy_parts(model), skip=False)
        training = _json(file, "training_config", path)
        optimizer = _optimizer_arrays(file)
    assign(matched, [], path, skip=False)
    if compiled and training is not None:
        arguments = _arguments(training)
        model.compile_from_config(deserialize_or_fail(arguments, custom, safe, path))
        if optimizer is not None and model.optimizer is not None:
            restore_optimizer(model._sessions, optimizer)
    return model


def _json(file: Group, name: str, path: Path) -> Any:
    """An attribute of the file that holds JSON, or None."""
    value = file.attrs.get(name)
    if value is None:
        return None
    try:
        found = json.loads(value.decode("utf-8") if isinstance(value, bytes) else str(value))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its {name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path} is damaged: its {name} is no dict.")
    return found


def _optimizer_arrays(file: Group) -> Sequence[Any] | None:
    """The variables of the optimizer, or None."""
    if "optimizer_weights" not in file:
        return None
    group = file["optimizer_weights"]
    found = [find_dataset(group, name) for name in read_names(group, "weight_names")]
    return [read_dataset(dataset) for dataset in found if dataset is not None]


def _arguments(training: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `compile` as a `.keras` file has them."""
    given = {key: training.get(key) for key in _COMPILED}
    given["optimizer"] = training.get("optimizer_config")
    return {key: _with_module(value, _MODULES.get(key, "")) for key, value in given.items()}


def _with_module(value: Any, module: str) -> Any:
    """A configuration with the module that files of Keras 2 leave out."""
    if isinstance(value, list):
        return [_with_module(item, module) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {key: _with_module(item, module) for key, item in value.items()}
    config = value.get("config") or {}
    if value["class_name"] in {"MeanMetricWrapper", "LossFunctionWrapper"}:
        return config.get("fn")
    return {"module": module, "registered_name": None, **value}
