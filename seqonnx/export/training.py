"""Training in files: graphs, state, manifest, and the driver for JavaScript beside them."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import onnx

from seqonnx.errors import ModelFileError
from seqonnx.export.options import ExportOptions, export_options
from seqonnx.export.safetensors import read_arrays, safetensors_bytes
from seqonnx.export.shared_weights import SharedFile, share_weights
from seqonnx.export.training_manifest import (
    FORMAT,
    GRAPHS,
    STATE_FILE,
    TrainingFacts,
    manifest_of,
    shared_file,
)
from seqonnx.export.versions import in_versions, in_wanted_versions, opset_of
from seqonnx.graph.files import Arrays, check_model
from seqonnx.graph.writing import aside

MANIFEST: Final = "manifest.json"
COUNTERS: Final = "seqonnx"
"""Entry of the state's metadata with the numbers of steps and epochs, as JSON."""
DRIVER: Final = ("seqonnx.js", "seqonnx.d.ts", "package.json")
"""The driver for JavaScript, its types, and what tells Node that it is a module."""


@dataclass(frozen=True)
class SavedState:
    """The state of a training as a driver has left it.

    Args:
        manifest: the manifest of the training.
        arrays: the state by name, in the ONNX layout.
        steps: number of steps taken.
        epochs: number of epochs begun.
    """

    manifest: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    steps: int
    epochs: int


def write_training(
    folder: Path,
    facts: TrainingFacts,
    graphs: Mapping[str, tuple[onnx.ModelProto, Arrays]],
    state: Mapping[str, npt.NDArray[Any]] | None,
    counters: Mapping[str, int],
    opset: int | None,
) -> None:
    """Write a training; the files take the places of earlier ones together, when all are whole.

    Args:
        folder: where to write; made if it is not there.
        facts: what the manifest is to say.
        graphs: the graphs by their keys in `GRAPHS`, each with the weights that are not in it.
        state: the state by name; None writes none.
        counters: steps and epochs.
        opset: operator set of the graphs; None: the default, or the lowest that can say them.

    Raises:
        ValueError: if the operator set is none that is written.
        OperatorSetError: if it cannot say the graphs; names the operators.
        ImportError: if safetensors is not installed, and there is a state.
        OSError: if a file cannot be written; earlier files are then untouched.
    """
    lowered = _lowered({key: model for key, (model, _) in graphs.items()}, opset)
    for model in lowered.values():
        check_model(model)
    apart = [arrays for _, arrays in graphs.values()]
    shared = share_weights(list(lowered.values()), map(shared_file, itertools.count()), apart)
    files: dict[str, bytes | SharedFile] = {file.name: file for file in shared}
    files |= {
        GRAPHS[key]: model.SerializeToString(deterministic=True) for key, model in lowered.items()
    }
    if state is not None:
        # One entry: the file has several in no fixed order.
        metadata = {COUNTERS: json.dumps(counters, sort_keys=True)}
        files[STATE_FILE] = safetensors_bytes(dict(state), metadata)
    for name in DRIVER:
        files[name] = resources.files("seqonnx.export").joinpath(name).read_bytes()
    manifest = manifest_of(facts, lowered, shared=[file.name for file in shared])
    files[MANIFEST] = _readable(manifest).encode()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} cannot be written: it is a file; name a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        written = [stack.enter_context(aside(folder / name)) for name in files]
        for temporary, content in zip(written, files.values(), strict=True):
            for chunk in [content] if isinstance(content, bytes) else content.chunks():
                temporary.file.write(chunk)
            temporary.file.flush()  # a full disk is found before any file takes its place
        for temporary in written:
            temporary.commit()
    for number in itertools.count(len(shared)):  # of an earlier export: no graph reads them
        if not (folder / shared_file(number)).exists():
            break
        (folder / shared_file(number)).unlink()


def read_training(folder: Path, state: Path | None) -> SavedState:
    """Read the manifest and the state of a training.

    Args:
        folder: the folder.
        state: file with the state; default: the one in the folder.

    Raises:
        ModelFileError: if a file is absent or broken, or lacks a part of the state.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelFileError(
            f"File not found: {path}. `model.export_training(folder)` writes such a folder."
        )
    try:
        manifest = json.loads(path.read_bytes())
        expected = {
            entry["name"]: (entry["dtype"], tuple(entry["shape"]))
            for entry in manifest["state"]
            if entry["kind"] != "metric"
        }
        known = manifest["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not the manifest of a training: {error!r}") from error
    if not known:
        raise ModelFileError(
            f"{path} has the format {manifest['format']!r}, and this version of seqonnx reads "
            f"{FORMAT}."
        )
    source = folder / STATE_FILE if state is None else state
    arrays, metadata = read_arrays(source)
    for name, (dtype, shape) in expected.items():
        array = arrays.get(name)
        if array is None or (array.dtype.name, array.shape) != (dtype, shape):
            got = "nothing" if array is None else f"{array.dtype.name} of shape {array.shape}"
            raise ModelFileError(
                f"{source} does not go with {path}: it holds {got} as '{name}', which is {dtype} "
                f"of shape {shape}."
            )
    kept = {name: arrays[name] for name in expected}
    return SavedState(manifest, kept, *_counters(metadata, source))


def _readable(manifest: Mapping[str, Any]) -> str:
    """The manifest as JSON, with a line for each entry, and for each member of its lists."""
    lines = []
    for key, value in manifest.items():
        text = json.dumps(value)
        if isinstance(value, list) and len(value) > 1:
            text = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _counters(metadata: Mapping[str, str], path: Path) -> tuple[int, int]:
    """The numbers of steps and epochs in the metadata of a state."""
    try:
        counters = json.loads(metadata[COUNTERS])
        return int(counters["steps"]), int(counters["epochs"])
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{path} is not the state of a training: its metadata lacks the numbers of steps and "
            f"epochs under '{COUNTERS}', or has something else there: {dict(metadata)}"
        ) from error


def _lowered(
    graphs: Mapping[str, onnx.ModelProto], opset: int | None
) -> dict[str, onnx.ModelProto]:
    """The graphs, all in one operator set: without a wish, the lowest from the default on."""
    options = export_options("onnx", vars(ExportOptions(opset=opset)))
    lowered = {key: in_wanted_versions(model, options) for key, model in graphs.items()}
    highest = max(opset_of(model) for model in lowered.values())
    return {
        key: model if opset_of(model) == highest else in_versions(graphs[key], highest, None)
        for key, model in lowered.items()
    }
