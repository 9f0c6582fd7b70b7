"""Whole models in Keras's `.keras` files, with what they were compiled with, both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqonnx import catalogue, registration
from seqonnx.errors import ModelFileError
from seqonnx.export.keras_archive import write_archive
from seqonnx.export.keras_models import model_entry
from seqonnx.export.keras_objects import is_written_with_op, serialize_keras_object
from seqonnx.export.keras_vocabularies import load_vocabularies
from seqonnx.export.keras_weights import part_of, without_adapters
from seqonnx.graph.budget import weights_at_most
from seqonnx.importers.keras.archive import open_archive
from seqonnx.importers.keras.config import MODELS
from seqonnx.importers.keras.graph import DAMAGED, model_config
from seqonnx.importers.keras.hdf5 import open_hdf5
from seqonnx.importers.keras.parts import assign
from seqonnx.importers.keras.weights import Stored, match_weights, read_stored, weights_content
from seqonnx.layers.architecture import deserialize_part
from seqonnx.layers.network import Network
from seqonnx.layers.standing import merged_values
from seqonnx.layers.subclassing import build_again
from seqonnx.models.feature_space import FeatureSpace
from seqonnx.models.feature_space_files import space_in
from seqonnx.models.keras_objects import deserialize_keras_object, keras_catalogue
from seqonnx.optimizers import LossScaleOptimizer
from seqonnx.structures import take_out
from seqonnx.training.compilation import Compilation
from seqonnx.training.optimizer_state import restore_optimizer, snapshot
from seqonnx.training.sessions import Sessions

EXPANSION = 100
"""How many times smaller the weights may be in a file of Keras's: HDF5 compresses."""


def compile_config(compilation: Compilation | None) -> dict[str, Any]:
    """Return what `compile` was given, as Keras's files hold it; nothing if it was not called."""
    if compilation is None:
        return {}
    given = {
        "optimizer": compilation.optimizer if compilation.trains else None,
        **compilation.given,
        "steps_per_execution": compilation.steps_per_execution,
    }
    config: dict[str, Any] = serialize_keras_object(given)
    return config


def arguments_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `compile` from what `compile_config` or Keras returned.

    Args:
        config: plain values, or objects.
    """
    arguments: dict[str, Any] = deserialize_keras_object(dict(config))
    # Keras has found out what its backend can do; here a model is always compiled.
    if not arguments.get("run_eagerly"):
        arguments.pop("run_eagerly", None)
    return arguments


def check_keras_parts(compilation: Compilation) -> None:
    """Raise a ValueError for compile arguments that Keras could not be given."""
    parts: list[Any] = []
    given = {"optimizer": compilation.optimizer, **compilation.given}
    for argument, value in given.items():
        parts.clear()
        take_out(value, lambda part: not isinstance(part, str | int | float | None), parts)
        for part in parts:
            inner = part.function if isinstance(part, catalogue.FromUserFunction) else part
            if _is_own_with_op(inner):
                raise ValueError(
                    f"The model cannot be written to a file of Keras's: `{argument}` of `compile` "
                    f"holds {part!r}, which is written with ONNX operators (`op`) that Keras does "
                    "not have. Save it as `.onnx`, or without it: `include_optimizer=False`."
                )


def _is_own_with_op(thing: Any) -> bool:
    """Whether a function or an object is the user's and takes the emitter."""
    kinds = ("loss", "metric", "optimizer", "schedule", "activation", "regularizer")
    cls = (
        thing
        if isinstance(thing, type) or getattr(thing, "__name__", None) is not None
        else type(thing)
    )
    if any(catalogue.is_own(kind, cls) for kind in kinds):
        return False
    if str(getattr(cls, "__module__", "")).startswith("seqonnx."):
        return False
    names = ("call", "update_state", "update")
    methods = [getattr(thing, name) for name in names if getattr(thing, name, None) is not None]
    return any(is_written_with_op(method) for method in methods or [thing])


def save_keras_model(sessions: Sessions, path: Path, *, include_optimizer: bool) -> None:
    """Write a `.keras` file that Keras 3 loads, and trains on.

    Args:
        sessions: of the model.
        path: the file.
        include_optimizer: whether to write what `compile` was given, and the optimizer's state.

    Raises:
        ValueError: for parts that Keras does not have, or could not find again.
    """
    network, compilation = sessions.network, sessions.compilation
    config = model_entry(network)
    if compilation is not None and include_optimizer:
        check_keras_parts(compilation)
        config["compile_config"] = compile_config(compilation)
    _check_json(config)
    state = snapshot(sessions, include_optimizer=include_optimizer)
    others = {}
    if state.optimizer is not None and compilation is not None:
        optimizer = compilation.optimizer
        others["optimizer"] = Stored(optimizer.name, state.optimizer)
        if isinstance(optimizer, LossScaleOptimizer):
            # Keras lists the variables of the inner optimizer twice, and warns where they are not.
            inner = optimizer.inner_optimizer
            arrays = state.optimizer[-len(inner.variables) :]
            others["optimizer/inner_optimizer"] = Stored(inner.name, arrays)
    weights = merged_values([network], state.weights)
    write_archive(path, config, weights_content(part_of(network), weights, others))


def _check_json(config: Mapping[str, Any]) -> None:
    try:
        json.dumps(config)
    except TypeError as error:
        raise ValueError(
            f"The model cannot be saved: {error}. `get_config` must return numbers, strings, "
            "lists, dicts, and what `seqonnx.saving.serialize_keras_object` takes."
        ) from error


def load_keras_model(path: Path, custom: Mapping[str, Any], *, compiled: bool, safe: bool) -> Any:
    """Return the model of a `.keras` file with its weights, compiled if it was.

    Args:
        path: the file.
        custom: classes and functions of the user's own, by name.
        compiled: whether to compile it and to read the state of its optimizer.
        safe: whether lambdas are refused.
    """
    with open_archive(path) as archive:
        if archive.config.get("class_name") == "FeatureSpace":
            return space_in(FeatureSpace, archive, path)
        with weights_at_most(archive.held, factor=EXPANSION):
            model = model_from_entry(archive.config, custom, safe, path)
        with open_hdf5(path, archive.weights) as file:
            matched, failures = match_weights(file, part_of(model))
            matched += without_adapters(model)
            load_vocabularies(model, archive.vocabularies, file)
            optimizer = read_stored(file, "optimizer")
        config = archive.config.get("compile_config")
    assign(matched, failures, path, skip=False)
    if compiled and config:
        with weights_at_most(archive.held, factor=EXPANSION):
            model.compile_from_config(deserialize_or_fail(config, custom, safe, path))
            if optimizer is not None and model.optimizer is not None:
                restore_optimizer(model._sessions, optimizer)
    return model


def deserialize_or_fail(
    config: Mapping[str, Any], custom: Mapping[str, Any], safe: bool, path: Path
) -> Any:
    """Return the arguments of `compile` in a file.

    Raises:
        ModelFileError: if one of them is not known.
    """
    try:
        return deserialize_keras_object(config, custom, safe)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelFileError(
            f"{path} cannot be loaded with what it was compiled with. {error} Or load it with "
            "`compile=False`."
        ) from error


def model_from_entry(
    entry: Mapping[str, Any], custom: Mapping[str, Any], safe: bool, path: Path | str
) -> Any:
    """Return a model from what config.json holds, with new weights and not compiled.

    Raises:
        ModelFileError: if it is damaged, or needs what seqonnx lacks.
    """
    known = keras_catalogue(custom, safe=safe)
    found = known.find(entry)
    own = entry.get("class_name") not in MODELS and isinstance(found, type)
    if own and issubclass(found, Network) and found._is_subclassed():
        return _subclassed(found, entry, custom, safe, path)
    config = model_config(entry, known, path)
    return _built(config, known.custom, path)


def _subclassed(
    cls: type[Network], entry: Mapping[str, Any], custom: Mapping[str, Any], safe: bool, path: Any
) -> Any:
    """A model whose user has written `call`, built for the shapes that the file tells."""
    config = {
        key: value if isinstance(value, str) else deserialize_keras_object(value, custom, safe)
        for key, value in (entry.get("config") or {}).items()
    }
    try:
        with registration.CustomObjectScope({**registration.scope(), **custom}):
            model = cls.from_config(config)
            build_again(model, entry)
    except DAMAGED as error:
        raise ModelFileError(
            f"{path} cannot be loaded: {cls.__name__} could not be made again: {error!r}"
        ) from error
    return model


def _built(config: Mapping[str, Any], custom: Mapping[str, Any], path: Path | str) -> Any:
    """A model from what was Keras's configuration."""
    try:
        return deserialize_part(config, custom)
    except DAMAGED as error:
        raise ModelFileError(f"{path} is damaged: {error!r} in its configuration.") from error
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be loaded. {error}") from error
