"""Checkpoints: an inference graph that also carries what is needed to go on training.

The weights are the initializers of the graph. Everything else that training remembers lies in
`ModelProto.training_info`, the place that the ONNX standard has for it: optimizer slots as
tensors, counters and compile arguments as JSON in the algorithm graph's doc string. A runtime
that only infers never looks there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from seqonnx.errors import ForeignFileError, ModelFileError
from seqonnx.export.inference import CONFIG, Source, emit_apart
from seqonnx.export.options import ExportOptions
from seqonnx.export.versions import in_wanted_versions
from seqonnx.graph.external import mapped_arrays
from seqonnx.graph.files import Arrays, check_model, read_model, write_model
from seqonnx.graph.serde import PRODUCER

WEIGHTS = "seqonnx.weights"
_STATE_GRAPH = "seqonnx.training_state"


@dataclass(frozen=True)
class TrainingState:
    """The state of a compiled model besides its weights.

    Args:
        values: plain values: compile arguments, step and epoch counters, seed and generator of
            the noise.
        slots: optimizer slots by name, in the ONNX layout.
    """

    values: Mapping[str, Any]
    slots: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a saved model.

    Args:
        config: configuration of the model.
        weights: arrays in the ONNX layout, in the model's order.
        training: training state, or None if the model was not compiled.
    """

    config: Mapping[str, Any]
    weights: Sequence[npt.NDArray[Any]]
    training: TrainingState | None


def write_checkpoint(
    source: Source, training: TrainingState | None, path: Path, *, external_from: int
) -> None:
    """Write a model with everything needed to go on.

    Args:
        source: the model.
        training: what training remembers, or None.
        path: where to write; an earlier file is replaced only when the new one is whole.
        external_from: bytes of weights from which they go to a data file.

    Raises:
        ValueError: if the configuration of the model holds what a file cannot hold.
        OSError: if the file cannot be written.
    """
    _check_plain(source.config)
    emitted = emit_apart(source, folded=False)
    arrays = emitted.arrays
    # Of each save, no word.
    model = in_wanted_versions(emitted.model, ExportOptions(), logging.DEBUG)
    if len(arrays) == 0:
        check_model(model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    names = {variable: name for name, variable in emitted.named.items()}
    extra: dict[str, npt.NDArray[Any]] = {}
    order: list[str] = []
    for index, weight in enumerate(source.weights):
        name, value = names.get(weight, ""), source.values[weight]
        if arrays.get(name) is not value and not _holds(tensors.get(name), value):
            # Not in the inference graph, or there in another layout.
            name = f"weights/{index}/{weight.path}"
            extra[name] = value
        order.append(name)
    values = None if training is None else dict(training.values)
    slots = {} if training is None else training.slots
    _attach(model, {"training": values}, {**extra, **slots})
    record = {"names": order, "state": training is not None or len(extra) > 0}
    model.metadata_props.add(key=WEIGHTS, value=json.dumps(record))
    write_model(model, path, external_from=external_from, arrays=arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        ForeignFileError: if another program wrote the file.
        ModelFileError: if the file is absent or broken, or was not written by `save`.
    """
    model = read_model(path, mapped=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if CONFIG not in metadata and WEIGHTS not in metadata and model.producer_name != PRODUCER:
        raise ForeignFileError(f"{path} does not hold a model saved by seqonnx.")
    for key in (CONFIG, WEIGHTS):
        if key not in metadata:
            raise ModelFileError(
                f"{path} does not hold a model saved by seqonnx: its metadata lacks '{key}'. "
                "`load_model` goes on from what `model.save` wrote; a file from `model.export` "
                "holds an inference graph alone, which `layers.ONNXModel` takes as a layer."
            )
    try:
        return _read(model, metadata, mapped_arrays(model, path))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise ModelFileError(f"{path} is damaged: {error!r} while reading its weights.") from error


def _check_plain(config: Mapping[str, Any]) -> None:
    """Raise a ValueError for a value in a configuration that JSON does not hold."""
    stack: list[tuple[str, Any]] = [("config", config)]
    while len(stack) > 0:
        where, value = stack.pop()
        if isinstance(value, Mapping):
            named = value.get("name", value.get("class_name", where))
            stack.extend((f"`{key}` of '{named}'", item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            stack.extend((where, item) for item in value)
        elif not isinstance(value, str | int | float | np.generic | np.ndarray | None):
            raise ValueError(
                f"The model cannot be saved: {where} in its configuration is {value!r}. "
                "`get_config` of a layer must return numbers, strings, lists and dicts."
            )


def _read(model: onnx.ModelProto, metadata: Mapping[str, str], mapped: Arrays) -> Checkpoint:
    """Read the parts of a checkpoint; `mapped` are weights that stay in its data file."""
    record = json.loads(metadata[WEIGHTS])
    state = next((i for i in model.training_info if i.algorithm.name == _STATE_GRAPH), None)
    if state is None and record["state"]:
        raise ValueError("the training state is missing")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    own = {} if state is None else {t.name: t for t in state.algorithm.initializer}
    weights = [
        mapped[name] if name in mapped else _array(own.pop(name) if name in own else tensors[name])
        for name in record["names"]
    ]
    config = json.loads(metadata[CONFIG])
    values = None if state is None else json.loads(state.algorithm.doc_string)["training"]
    if values is None:
        return Checkpoint(config, weights, None)
    slots = {name: _array(tensor) for name, tensor in own.items()}
    return Checkpoint(config, weights, TrainingState(values, slots))


def _attach(
    model: onnx.ModelProto, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Put values and arrays into the ModelProto, where only training looks."""
    if values["training"] is None and len(arrays) == 0:
        return
    graph = model.training_info.add().algorithm
    graph.name = _STATE_GRAPH
    graph.doc_string = json.dumps(values, sort_keys=True)
    for name, array in arrays.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(array, order="C"), name))


def _holds(tensor: onnx.TensorProto | None, array: npt.NDArray[Any]) -> bool:
    """Whether a tensor is this array, bit by bit."""
    return (
        tensor is not None
        and tuple(tensor.dims) == array.shape
        and tensor.raw_data == array.tobytes()
    )


def _array(tensor: onnx.TensorProto) -> npt.NDArray[Any]:
    return np.array(onnx.numpy_helper.to_array(tensor), order="C")
