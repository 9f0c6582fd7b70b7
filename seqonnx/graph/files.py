"""Model files, with a data file beside them where the weights are too large for one file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError

from seqonnx.errors import ModelFileError
from seqonnx.graph.external import load_data, weight_tensors
from seqonnx.graph.mapped import chunks_of
from seqonnx.graph.writing import Aside, aside, remove_unlocked, target_of

EXTERNAL_FROM = (1 << 31) - (1 << 26)
"""Number of bytes of weights from which they go to a file of their own.

Protobuf's limit is 2 GiB; the rest is room for nodes and names.
"""

MOST_BYTES = 1 << 31
"""Number of bytes from which a message is too large for protobuf."""

SMALL_TENSOR = 1024
"""Bytes from which a tensor goes to a data file; smaller ones stay in the model file."""

_ALIGNMENT = 4096


Arrays = Mapping[str, npt.NDArray[Any]]


def check_model(model: onnx.ModelProto) -> None:
    """Run ONNX's checker, with its shape inference; a model too large for it is left alone.

    What is too large is checked when it is written (`write_model`).

    Raises:
        onnx.checker.ValidationError: if the model breaks the standard.
    """
    apart = any(t.data_location == onnx.TensorProto.EXTERNAL for t in weight_tensors(model))
    if not apart and _weight_bytes(model) < EXTERNAL_FROM:
        onnx.checker.check_model(model, full_check=True)


def write_model(
    model: onnx.ModelProto,
    path: Path,
    *,
    external_from: int = EXTERNAL_FROM,
    arrays: Arrays | None = None,
) -> None:
    """Write a model file; more weights than protobuf can hold go to a data file beside it.

    Args:
        model: the ModelProto; its tensors are moved out of it where they go to the data file.
        path: where to write.
        external_from: number of bytes of weights from which a data file is used.
        arrays: weights that are not in the ModelProto, by name (see `graph.apart`): with any, a
            data file is used, and they are written to it piece by piece.

    Raises:
        OSError: if the file cannot be written; an earlier file is then untouched.
        onnx.checker.ValidationError: if a model with a data file breaks the standard.
    """
    path = target_of(path)
    old_data = _data_files(path)
    arrays = {} if arrays is None else arrays
    outside = len(arrays) > 0 or _weight_bytes(model) >= external_from
    new_data = {_data_path(model, path, arrays)} if outside else set()
    with contextlib.ExitStack() as held:  # the data file stays locked until the model is there
        temporary = held.enter_context(aside(path))
        try:
            for data in new_data:
                _write_data(model, data.name, held.enter_context(aside(data, owner=path)), arrays)
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


def read_model(path: Path, *, weights: bool = True, mapped: bool = False) -> onnx.ModelProto:
    """Read a model file.

    Args:
        path: the file.
        weights: whether to load tensors that lie in data files beside it.
        mapped: whether the large ones of a large model are left there, for `mapped_arrays`.

    Raises:
        ModelFileError: if the file is absent, truncated or not an ONNX model, or too large for
            one, or a data file is missing.
    """
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected an ONNX model file.")
    size = os.stat(path).st_size
    if size >= MOST_BYTES:
        raise ModelFileError(
            f"{path} is a file of {size:,} bytes, and protobuf, which ONNX is written in, ends at "
            f"{MOST_BYTES:,}. Its weights have to lie in a data file beside it: "
            "`onnx.save(model, path, save_as_external_data=True)` where the model is made."
        )
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
        load_data(model, path, leave=mapped)
    return model


def _weight_bytes(model: onnx.ModelProto) -> int:
    return sum(len(tensor.raw_data) for tensor in weight_tensors(model))


def _data_path(model: onnx.ModelProto, path: Path, arrays: Arrays) -> Path:
    """Path of the data file of a model: it is named after its contents."""
    digest = hashlib.sha256()
    for tensor in _large_tensors(model, arrays):
        for chunk in _content(tensor, arrays):
            digest.update(chunk)
    data = path.with_name(f"{path.name}.{digest.hexdigest()[:12]}.data")
    target_of(data)  # its name is longer than that of the model
    return data


def _write_data(model: onnx.ModelProto, name: str, temporary: Aside, arrays: Arrays) -> None:
    """Move large tensors to a data file."""
    file = temporary.file
    for tensor in _large_tensors(model, arrays):
        file.write(b"\0" * (-file.tell() % _ALIGNMENT))
        offset = file.tell()
        for chunk in _content(tensor, arrays):
            file.write(chunk)
        length = file.tell() - offset
        tensor.ClearField("raw_data")
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    temporary.commit()


def _content(tensor: onnx.TensorProto, arrays: Arrays) -> Iterator[bytes]:
    """The bytes of a tensor, wherever they are."""
    array = arrays.get(tensor.name)
    if array is None or tensor.HasField("raw_data"):
        yield tensor.raw_data
    else:
        yield from chunks_of(array)


def _large_tensors(model: onnx.ModelProto, arrays: Arrays) -> list[onnx.TensorProto]:
    return [
        tensor
        for tensor in weight_tensors(model)
        if len(tensor.raw_data) >= SMALL_TENSOR
        or (tensor.name in arrays and tensor.data_location == onnx.TensorProto.EXTERNAL)
    ]


def _data_files(path: Path) -> set[Path]:
    """Data files that earlier writes of `path` have left."""
    ours = re.compile(re.escape(path.name) + r"\.[0-9a-f]{12}\.data")
    if not path.parent.is_dir():
        return set()
    return {file for file in path.parent.iterdir() if ours.fullmatch(file.name)}
