"""Model files, with a data file beside them where the weights are too large for one file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError

from seqonnx.errors import ModelFileError
from seqonnx.graph.writing import Aside, aside, remove_unlocked, target_of

EXTERNAL_FROM = (1 << 31) - (1 << 26)
"""Number of bytes of weights from which they go to a file of their own.

Protobuf's limit is 2 GiB; the rest is room for nodes and names.
"""

_SMALL_TENSOR = 1024
_ALIGNMENT = 4096


def check_model(model: onnx.ModelProto) -> None:
    """Run ONNX's checker, with its shape inference; a model too large for it is left alone.

    What is too large is checked when it is written (`write_model`).

    Raises:
        onnx.checker.ValidationError: if the model breaks the standard.
    """
    if _weight_bytes(model) < EXTERNAL_FROM:
        onnx.checker.check_model(model, full_check=True)


def write_model(model: onnx.ModelProto, path: Path, *, external_from: int = EXTERNAL_FROM) -> None:
    """Write a model file; more weights than protobuf can hold go to a data file beside it.

    Args:
        model: the ModelProto; its tensors are moved out of it where they go to the data file.
        path: where to write.
        external_from: number of bytes of weights from which a data file is used.

    Raises:
        OSError: if the file cannot be written; an earlier file is then untouched.
        onnx.checker.ValidationError: if a model with a data file breaks the standard.
    """
    path = target_of(path)
    old_data = _data_files(path)
    new_data = {_data_path(model, path)} if _weight_bytes(model) >= external_from else set()
    with contextlib.ExitStack() as held:  # the data file stays locked until the model is there
        temporary = held.enter_context(aside(path))
        try:
            for data in new_data:
                _write_data(model, data.name, held.enter_context(aside(data, owner=path)))
            temporary.file.write(model.SerializeToString(deterministic=True))
            if len(new_data) > 0:
                temporary.file.flush()
                onnx.checker.check_model(temporary.file.name, full_check=True)
            temporary.commit()
        finally:
            if temporary.committed:
                for stale in old_data - new_data:
                    remove_unlocked(stale, only_if=temporary.is_current)
            else:
                for unused in new_data - old_data:
                    unused.unlink(missing_ok=True)


def read_model(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """Read a model file.

    Args:
        path: the file.
        weights: whether to load tensors that lie in data files beside it.

    Raises:
        ModelFileError: if the file is absent, truncated or not an ONNX model, or a data file is
            missing.
    """
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected an ONNX model file.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelFileError(
            f"{path} is not an ONNX model, or it is truncated ({error})."
        ) from error
    if not model.HasField("graph"):
        raise ModelFileError(f"{path} is not an ONNX model: it holds no graph.")
    if weights:
        _load_data(model, path)
    return model


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that a model holds: weights, training state, constants, also in subgraphs."""
    yield from _tensors(model)
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while len(graphs) > 0 or len(nodes) > 0:
        if len(nodes) == 0:
            graph = graphs.pop()
            nodes.extend(graph.node)
            if graph is not model.graph:
                yield from graph.initializer
            continue
        for attribute in nodes.pop().attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            graphs.extend(attribute.graphs)
            if attribute.HasField("g"):
                graphs.append(attribute.g)


def stored_bytes(model: onnx.ModelProto) -> int:
    """Bytes of the elements of all tensors that a ModelProto itself holds, in whatever field."""
    return sum(
        len(t.raw_data)
        + 4 * (len(t.float_data) + len(t.int32_data))
        + 8 * (len(t.int64_data) + len(t.double_data) + len(t.uint64_data))
        for t in all_tensors(model)
    )


def refuse_outside(model: onnx.ModelProto, name: str) -> None:
    """Refuse a ModelProto whose tensors lie outside the working directory, or nowhere.

    A ModelProto does not say which file it is of, so its data files are looked for there.

    Raises:
        ModelFileError: if a tensor does.
    """
    folder = Path()
    for tensor in all_tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        if lies_outside(folder, location) or not (folder / location).is_file():
            raise ModelFileError(
                f"Tensor '{tensor.name}' of {name} lies in {location!r}, which is no file in the "
                "working directory. Pass the path of the model's file, or load the ModelProto "
                "with its data."
            )


def lies_outside(folder: Path, location: str) -> bool:
    """Whether the location of a data file leads out of a folder: absolute, with `..`, or a link.

    A location is taken as both systems read it, since a file may come from the other one.

    Example:
        >>> lies_outside(Path("models"), "../secret"), lies_outside(Path("models"), "m.data")
        (True, False)
    """
    windows = PureWindowsPath(location)
    if location.startswith("/") or windows.drive or windows.root:
        return True
    depth = 0
    for part in windows.parts:  # "/" and "\\" alike
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    try:
        place, home = os.path.realpath(folder / location), os.path.realpath(folder)
    except ValueError:  # a name that no system allows: it is missing
        return False
    return place != home and not place.startswith(os.path.join(home, ""))


def _load_data(model: onnx.ModelProto, path: Path) -> None:
    """Load the tensors that lie in data files beside a model file."""
    folder = os.path.realpath(path.parent)
    try:
        for tensor in all_tensors(model):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                expected = {entry.key: entry.value for entry in tensor.external_data}.get("length")
                onnx.external_data_helper.load_external_data_for_tensor(tensor, folder)
                tensor.data_location = onnx.TensorProto.DEFAULT
                del tensor.external_data[:]
                if expected is not None and len(tensor.raw_data) != int(expected):
                    raise ValueError(f"it is truncated: '{tensor.name}' is not whole")
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelFileError(
            f"The weights of {path} lie in a data file that cannot be read: {error}"
        ) from error


def _weight_bytes(model: onnx.ModelProto) -> int:
    return sum(len(tensor.raw_data) for tensor in _tensors(model))


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Weights of the graph and of the training state."""
    yield from model.graph.initializer
    for info in model.training_info:
        yield from info.algorithm.initializer


def _data_path(model: onnx.ModelProto, path: Path) -> Path:
    """Path of the data file of a model: it is named after its contents."""
    digest = hashlib.sha256()
    for tensor in _large_tensors(model):
        digest.update(tensor.raw_data)
    data = path.with_name(f"{path.name}.{digest.hexdigest()[:12]}.data")
    target_of(data)  # its name is longer than that of the model
    return data


def _write_data(model: onnx.ModelProto, name: str, temporary: Aside) -> None:
    """Move large tensors to a data file."""
    file = temporary.file
    for tensor in _large_tensors(model):
        file.write(b"\0" * (-file.tell() % _ALIGNMENT))
        offset, length = file.tell(), len(tensor.raw_data)
        file.write(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    temporary.commit()


def _large_tensors(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [tensor for tensor in _tensors(model) if len(tensor.raw_data) >= _SMALL_TENSOR]


def _data_files(path: Path) -> set[Path]:
    """Data files that earlier writes of `path` have left."""
    ours = re.compile(re.escape(path.name) + r"\.[0-9a-f]{12}\.data")
    if not path.parent.is_dir():
        return set()
    return {file for file in path.parent.iterdir() if ours.fullmatch(file.name)}
