"""A model written to files: its inference graph, everything needed to go on, its weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnx

from seqonnx.catalogue import saved_name
from seqonnx.export import keras_weights
from seqonnx.export.calibration import Drift
from seqonnx.export.checkpoint import TrainingState, write_checkpoint
from seqonnx.export.inference import LayerInfo, Source, emit_inference
from seqonnx.export.keras_weights import ARCHIVE
from seqonnx.export.options import export_options
from seqonnx.export.safetensors import SAFETENSORS, read_safetensors, write_safetensors
from seqonnx.export.stages import export_model
from seqonnx.export.weights import read_weights, write_weights
from seqonnx.graph import Variable, read_together
from seqonnx.graph.damage import reading
from seqonnx.graph.files import EXTERNAL_FROM, check_model
from seqonnx.graph.writing import target_of
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network
from seqonnx.layers.standing import already_merged, merged_in
from seqonnx.layers.subclassing import built_from
from seqonnx.models.keras_files import save_keras_model
from seqonnx.models.legacy_files import save_legacy_model
from seqonnx.models.overwriting import may_write
from seqonnx.report.model_rows import layer_facts
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.checkpoint_state import ArraysByVariable, capture
from seqonnx.training.sessions import Sessions

ONNX: Final = ".onnx"
_LARGE_GRAPH: Final = 1 << 16
_LEGACY: Final = (".h5", ".hdf5")


def export(
    network: Network,
    path: Path,
    format: str,
    outputs: str | Sequence[str] | None,
    **arguments: Any,
) -> Drift | None:
    """Write the inference graph (see `Model.export`)."""
    options = export_options(format, arguments)
    _check_suffix(path)
    if not network.built:
        raise ValueError(
            "The model provided has not yet been built. It must be built before export."
        )
    folder = target_of(path).parent
    source = _source(network, outputs)
    source = replace(source, config=_without_large_graphs(source.config))
    if not options.merge_lora:
        return export_model(source, options, path)
    with already_merged(), merged_in([network], source.values, folder) as merged:
        return export_model(replace(source, values=merged), options, path)


def inference_model(network: Network) -> onnx.ModelProto:
    """Return the inference model as `export` begins with it: folded, in the pinned versions."""
    return emit_inference(_source(network, None), folded=True)[0]


def _without_large_graphs(config: Any) -> Any:
    """A configuration without graphs of imported networks that hold many integers.

    The file itself holds them, and would be twice as large.
    """
    if isinstance(config, list):
        return [_without_large_graphs(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    text = config.get("graph")
    if isinstance(text, str) and "statistics" in config and len(text) > _LARGE_GRAPH:
        return None
    return {key: _without_large_graphs(part) for key, part in config.items()}


def to_onnx(network: Network) -> onnx.ModelProto:
    """Return the inference model with every weight as an initializer of its own."""
    model, _ = emit_inference(_source(network, None), folded=False)
    check_model(model)
    return model


def save_model(
    sessions: Sessions,
    path: Path,
    overwrite: bool,
    zipped: bool | None,
    others: Mapping[str, Any],
) -> None:
    """Write a model with everything needed to go on (see `Model.save`)."""
    include = _include_optimizer(others, path)
    if zipped is not None and not zipped:
        raise ValueError(
            "`zipped=False` is not supported: a `.keras` file is one zip file. "
            f"Received: zipped={zipped}, filepath={path}"
        )
    _check_suffix(path, (ONNX, ARCHIVE, *_LEGACY))
    if not sessions.network.built:
        raise ValueError(
            f"Model '{sessions.network.name}' has not yet been built, so there is nothing to save. "
            "Call it on data or call `build()` first."
        )
    if not may_write(path, overwrite):
        return
    target_of(path)
    if path.suffix == ONNX:
        save(sessions, path, include_optimizer=include)
    elif path.suffix == ARCHIVE:
        save_keras_model(sessions, path, include_optimizer=include)
    else:
        save_legacy_model(sessions, path, include_optimizer=include)


def _include_optimizer(others: Mapping[str, Any], path: Path) -> bool:
    """The argument `include_optimizer` of `Model.save`.

    Raises:
        ValueError: for an argument that `save` does not know.
    """
    unknown = sorted(set(others) - {"include_optimizer", "save_format"})
    if len(unknown) > 0:
        raise ValueError(f"The following argument(s) are not supported: {unknown}")
    if others.get("save_format"):
        text = (
            "The `save_format` argument is deprecated: the ending of the file says the format. "
            f"Received: save_format={others['save_format']!r}, filepath={path}"
        )
        if path.suffix not in (ARCHIVE, *_LEGACY):
            raise ValueError(text)
        warnings.warn(text, DeprecationWarning, stacklevel=4)
    return bool(others.get("include_optimizer", True))


def save(
    sessions: Sessions,
    path: Path,
    *,
    include_optimizer: bool = True,
    external_from: int = EXTERNAL_FROM,
) -> None:
    """Write a built model as an `.onnx` file with everything needed to go on."""
    target_of(path)
    values, captured = capture(sessions)
    wanted = captured is not None and include_optimizer
    training = TrainingState(*captured) if wanted and captured is not None else None
    source = _source(sessions.network, None, values)
    write_checkpoint(source, training, path, external_from=external_from)


def save_weights(
    network: Network,
    path: Path,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    *,
    lora_only: bool = False,
) -> None:
    """Write the weights (see `Model.save_weights`)."""
    if max_shard_size is not None:
        raise ValueError(
            "`max_shard_size` is not supported: weights are written into one file. Received: "
            f"max_shard_size={max_shard_size}"
        )
    of_keras = keras_weights.is_keras_file(path)
    variables = _adapters(network, path) if lora_only else [] if of_keras else network.weights
    if not may_write(path, overwrite):
        return
    if path.suffix == SAFETENSORS:
        write_safetensors(variables, path)
    elif of_keras:
        keras_weights.save_weights(network, path)
    else:
        write_weights(variables, path)


def load_weights(
    network: Network,
    path: Path,
    skip_mismatch: bool,
    by_name: bool,
    *,
    lora_only: bool = False,
) -> None:
    """Read weights (see `Model.load_weights`)."""
    if not network.built:
        raise ValueError(
            "You are loading weights into a model that has not yet been built. Try building the "
            "model first by calling it on some data or by using `build()`."
        )
    of_keras = keras_weights.is_keras_file(path)
    variables = _adapters(network, path) if lora_only else network.weights
    if path.suffix == SAFETENSORS and not by_name:
        read_safetensors(variables, path, network.name, skip_mismatch=skip_mismatch)
    elif of_keras:
        with reading(path, refusals=True):
            keras_weights.load_weights(network, path, skip_mismatch=skip_mismatch, by_name=by_name)
    elif by_name:
        raise ValueError(
            f"`by_name=True` is for legacy `.h5` files of Keras's. Received: filepath={path}"
        )
    else:
        read_weights(variables, path, network.name, skip_mismatch=skip_mismatch)


def _adapters(network: Network, path: Path) -> list[Variable]:
    """The weights of a file of adapters: those that training may change, adapters among them.

    Raises:
        ValueError: if the model has no adapters, or the file is of another kind.
    """
    if path.suffix not in (SAFETENSORS, ".npz"):
        raise ValueError(
            "`lora_only=True` is for `.safetensors` and `.npz` files; those of Keras hold weights "
            f"with adapters merged in. Received: filepath={path}"
        )
    if not any(getattr(layer, "lora_enabled", False) for layer in network._leaf_layers()):
        raise ValueError(
            f"Model '{network.name}' has no adapters. Call `enable_lora` of its layers first, with "
            "the rank that the file was made with. Received: lora_only=True"
        )
    frozen = set(network._frozen_weights)
    return [variable for variable in network.weights if variable not in frozen]


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


def _check_suffix(path: Path, known: Sequence[str] = (ONNX,)) -> None:
    if path.suffix in known:
        return
    if len(known) == 1:
        text = f"Invalid filepath extension: models are exported as `{ONNX}`."
    else:
        text = (
            "Invalid filepath extension for saving. Please add an `.onnx` extension, which holds "
            "every model; or a `.keras` extension for Keras's native format, or `.h5` for its "
            "legacy format."
        )
    raise ValueError(f"{text} Received: filepath={path}")
