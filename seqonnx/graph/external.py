"""Tensors of a model that lie in data files beside it: loaded, or mapped where they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import onnx

from seqonnx.errors import ModelFileError
from seqonnx.graph.mapped import APART_FROM, LARGE, Region, map_array

if TYPE_CHECKING:
    import onnx_ir as ir

_WHOLE_BYTES = frozenset(
    getattr(onnx.TensorProto, name)
    for name in (
        "FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "UINT8", "INT16", "INT32", "INT64",
    )
)  # fmt: skip
"""Dtypes whose elements can be read where they lie."""


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that a model holds: weights, training state, constants, also in subgraphs."""
    yield from weight_tensors(model)
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


def weight_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Weights of the graph and of the training state."""
    yield from model.graph.initializer
    for info in model.training_info:
        yield from info.algorithm.initializer


def stored_bytes(model: onnx.ModelProto) -> int:
    """Bytes of the elements of all tensors of a ModelProto, in whatever field or data file."""
    return sum(
        len(t.raw_data)
        + 4 * (len(t.float_data) + len(t.int32_data))
        + 8 * (len(t.int64_data) + len(t.double_data) + len(t.uint64_data))
        + (_length(t) if t.data_location == onnx.TensorProto.EXTERNAL else 0)
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
        location = _entries(tensor).get("location", "")
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


def load_data(model: onnx.ModelProto, path: Path, *, leave: bool = False) -> None:
    """Load the tensors that lie in data files beside a model file.

    Args:
        model: the ModelProto; it is changed.
        path: its file.
        leave: whether large weights of a large model stay where they are, once it is clear that
            they are there.
    """
    folder = os.path.realpath(path.parent)
    outside = _left_outside(model) if leave else []  # a tensor is the same object while it lives
    left = {id(tensor) for tensor in outside}
    try:
        for tensor in all_tensors(model):
            if id(tensor) in left:
                _check_region(tensor, Path(folder))
            elif tensor.data_location == onnx.TensorProto.EXTERNAL:
                expected = _entries(tensor).get("length")
                onnx.external_data_helper.load_external_data_for_tensor(tensor, folder)
                tensor.data_location = onnx.TensorProto.DEFAULT
                del tensor.external_data[:]
                if expected is not None and len(tensor.raw_data) != int(expected):
                    raise ValueError(f"it is truncated: '{tensor.name}' is not whole")
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelFileError(
            f"The weights of {path} lie in a data file that cannot be read: {error}"
        ) from error


def mapped_arrays(model: onnx.ModelProto, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the weights that `load_data` has left in data files, mapped into memory, by name.

    Args:
        model: the ModelProto.
        path: its file.
    """
    folder = Path(os.path.realpath(path.parent))
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = _entries(tensor)
            place = Region(
                folder / entries["location"], int(entries.get("offset", 0)), _bytes_of(tensor)
            )
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            found[tensor.name] = map_array(place, dtype, tuple(tensor.dims))
    return found


def use_mapped(graph: ir.Graph, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Give initializers the arrays that are mapped, in place.

    Args:
        graph: the graph of the model.
        arrays: from `mapped_arrays`.
    """
    from onnx_ir import Tensor  # slow to import, and who only looks at a file has no use for it

    for name, array in arrays.items():
        value = graph.initializers[name]
        dtype = None if value.const_value is None else value.const_value.dtype
        value.const_value = Tensor(array, dtype=dtype, name=name)


def _left_outside(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The weights of a large model that are worth to be mapped."""
    outside = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    if sum(map(_bytes_of, outside)) < APART_FROM:
        return []
    return [t for t in outside if _bytes_of(t) >= LARGE and t.data_type in _WHOLE_BYTES]


def _check_region(tensor: onnx.TensorProto, folder: Path) -> None:
    """Raise a ValueError if a tensor does not lie, whole, in a file inside a folder."""
    entries = _entries(tensor)
    location = entries.get("location", "")
    if location == "" or lies_outside(folder, location):
        raise ValueError(f"'{tensor.name}' lies in {location!r}, which is outside of the folder")
    length, expected = int(entries.get("length", _bytes_of(tensor))), _bytes_of(tensor)
    end = int(entries.get("offset", 0)) + expected
    if length != expected or int(entries.get("offset", 0)) < 0:
        raise ValueError(f"'{tensor.name}' takes {expected:,} bytes, and {length:,} are given")
    if os.stat(folder / location).st_size < end:
        raise ValueError(f"it is truncated: '{tensor.name}' is not whole")


def _bytes_of(tensor: onnx.TensorProto) -> int:
    """Bytes of the elements of a tensor whose elements are of whole bytes."""
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError, TypeError):
        return 0
    elements: int = math.prod(max(d, 0) for d in tensor.dims)
    return elements * int(dtype.itemsize)


def _length(tensor: onnx.TensorProto) -> int:
    """Bytes that a tensor says to have in a data file."""
    return int(_entries(tensor).get("length", 0) or 0)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    """The place that a tensor names."""
    return {entry.key: entry.value for entry in tensor.external_data}
