"""Checkpoints: an inference graph that also carries what is needed to go on training.

The weights are the initializers of the graph. Everything else that training remembers lies in
`ModelProto.training_info`, the place that the ONNX standard has for it: optimizer slots as
tensors, counters and compile arguments as JSON in the algorithm graph's doc string. A runtime
that only infers never looks there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from seqonnx.errors import ModelFileError
from seqonnx.export.inference import CONFIG, WEIGHTS, Source, emit_inference
from seqonnx.graph.files import read_model, write_model

_STATE_GRAPH = "seqonnx.training_state"


@dataclass(frozen=True)
class TrainingState:
    """What a compiled model remembers besides its weights.

    Args:
        values: plain values: compile arguments, step and epoch counters, seed.
        slots: optimizer slots by name, in the ONNX layout.
    """

    values: Mapping[str, Any]
    slots: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """What a file gave.

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
    """
    model, named = emit_inference(source, folded=False)
    extra: dict[str, npt.NDArray[Any]] = {}
    names = {variable: name for name, variable in named.items()}
    present = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    order: list[str] = []
    for index, weight in enumerate(source.weights):
        stored = weight.stored()
        name = names.get(weight, "")
        if present.get(name) != stored.shape:
            name = f"weights/{index}/{weight.path}"
            extra[name] = stored
        order.append(name)
    _set_metadata(model, WEIGHTS, json.dumps(order))
    _attach(model, training, extra)
    write_model(model, path, external_from=external_from)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        ModelFileError: if the file is absent or broken, or was not written by `save`.
    """
    model = read_model(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if CONFIG not in metadata or WEIGHTS not in metadata:
        raise ModelFileError(
            f"{path} does not hold a model saved by seqonnx: its metadata lacks "
            f"'{CONFIG if CONFIG not in metadata else WEIGHTS}'. `load_model` reads what "
            "`model.save` wrote; a file from `model.export` holds the inference graph alone."
        )
    state = next((i for i in model.training_info if i.algorithm.name == _STATE_GRAPH), None)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    slots: dict[str, onnx.TensorProto] = {}
    if state is not None:
        slots = {tensor.name: tensor for tensor in state.algorithm.initializer}
    try:
        order = json.loads(metadata[WEIGHTS])
        weights = [_array(slots.pop(name, None) or tensors[name]) for name in order]
        config = json.loads(metadata[CONFIG])
        values = json.loads(state.algorithm.doc_string) if state is not None else None
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: {error!r} while reading its weights.") from error
    if values is None or values["training"] is None:
        return Checkpoint(config, weights, None)
    arrays = {name: _array(tensor) for name, tensor in slots.items()}
    return Checkpoint(config, weights, TrainingState(values["training"], arrays))


def _attach(
    model: onnx.ModelProto, training: TrainingState | None, extra: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Put the training state, and weights that the graph does not hold, into the message."""
    if training is None and not extra:
        return
    graph = model.training_info.add().algorithm
    graph.name = _STATE_GRAPH
    values = None if training is None else dict(training.values)
    graph.doc_string = json.dumps({"training": values}, sort_keys=True)
    slots = {} if training is None else training.slots
    for name, array in {**extra, **slots}.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))


def _set_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value


def _array(tensor: onnx.TensorProto) -> npt.NDArray[Any]:
    return np.array(onnx.numpy_helper.to_array(tensor), order="C")
