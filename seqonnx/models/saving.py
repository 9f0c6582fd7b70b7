"""A model written to files: its inference graph, everything needed to go on, its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from seqonnx.catalogue import saved_name
from seqonnx.export import keras_weights
from seqonnx.export.checkpoint import TrainingState, write_checkpoint
from seqonnx.export.inference import LayerInfo, Source, emit_inference
from seqonnx.export.weights import read_weights, write_weights
from seqonnx.graph import read_together
from seqonnx.graph.damage import reading
from seqonnx.graph.files import EXTERNAL_FROM, write_model
from seqonnx.graph.writing import target_of
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network
from seqonnx.layers.subclassing import built_from
from seqonnx.report.model_rows import layer_facts
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.checkpoint_state import ArraysByVariable, capture
from seqonnx.training.sessions import Sessions


def export(network: Network, path: Path, outputs: str | Sequence[str] | None) -> None:
    """Write the inference graph (see `Model.export`)."""
    _check_suffix(path)
    if not network.built:
        raise ValueError(
            "The model provided has not yet been built. It must be built before export."
        )
    target_of(path)
    proto, _ = emit_inference(_source(network, outputs), folded=True)
    write_model(proto, path)


def to_onnx(network: Network) -> onnx.ModelProto:
    """Return the inference model with every weight as an initializer of its own."""
    return emit_inference(_source(network, None), folded=False)[0]


def save(sessions: Sessions, path: Path, *, external_from: int = EXTERNAL_FROM) -> None:
    """Write a model with everything needed to go on (see `Model.save`)."""
    network = sessions.network
    _check_suffix(path)
    if not network.built:
        raise ValueError(
            f"Model '{network.name}' has not yet been built, so there is nothing to save. Call it "
            "on data or call `build()` first."
        )
    target_of(path)
    values, captured = capture(sessions)
    training = None if captured is None else TrainingState(*captured)
    source = _source(network, None, values)
    write_checkpoint(source, training, path, external_from=external_from)


def save_weights(network: Network, path: Path) -> None:
    """Write the weights (see `Model.save_weights`)."""
    if keras_weights.is_keras_file(path):
        keras_weights.save_weights(network, path)
    else:
        write_weights(network.weights, path)


def load_weights(network: Network, path: Path, skip_mismatch: bool, by_name: bool) -> None:
    """Read weights (see `Model.load_weights`)."""
    if not network.built:
        raise ValueError(
            "You are loading weights into a model that has not yet been built. Try building the "
            "model first by calling it on some data or by using `build()`."
        )
    if keras_weights.is_keras_file(path):
        with reading(path, refusals=True):
            keras_weights.load_weights(network, path, skip_mismatch=skip_mismatch, by_name=by_name)
    elif by_name:
        raise ValueError(
            f"`by_name=True` is for legacy `.h5` files of Keras's. Received: filepath={path}"
        )
    else:
        read_weights(network.weights, path, network.name, skip_mismatch=skip_mismatch)


def _source(
    network: Network, outputs: str | Sequence[str] | None, values: ArraysByVariable | None = None
) -> Source:
    """The model as the exporter sees it, with given values of its weights or those of now."""
    weights = network.weights
    if values is None:
        values = dict(zip(weights, read_together(weights)[1], strict=True))
    return Source(
        name=network.name,
        inputs=network.inputs,
        outputs=_chosen_outputs(network, outputs),
        layers=[LayerInfo(*facts) for facts in layer_facts(network)],
        config={"class_name": saved_name(type(network)), "config": network.get_config()}
        | built_from(network),
        weights=weights,
        values=values,
    )


def _chosen_outputs(
    network: Network, outputs: str | Sequence[str] | None
) -> list[tuple[str, SymbolicTensor]]:
    """Names and tensors of the graph's outputs."""
    if outputs is None:
        return list(zip(network.output_names, network.outputs, strict=True))
    names = [layer.name for layer in network.layers if not isinstance(layer, InputLayer)]
    if isinstance(outputs, str) and outputs != "all":
        raise ValueError(
            "`outputs` must be 'all' or a list of layer names. "
            f"Received: outputs={outputs!r}. Layers are: {names}"
        )
    wanted = names if outputs == "all" else list(outputs)
    return [(name, network._outputs_of(network.get_layer(name))[0]) for name in wanted]


def _check_suffix(path: Path) -> None:
    if path.suffix != ".onnx":
        raise ValueError(
            f"Invalid filepath extension: models are written as `.onnx`. Received: filepath={path}"
        )
