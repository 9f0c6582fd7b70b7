"""Graphs whose large weights stay apart from their message: protobuf ends at 2 GiB.

A message then says of such a weight that it lies elsewhere, and whoever opens or writes the model
gets the arrays beside it. They are those that variables hold: nothing is copied. Files do so from
256 MiB on, sessions from 1 MiB.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.dtypes import ALL_TYPES
from seqonnx.graph.mapped import APART_FROM, LARGE, Region, region_of
from seqonnx.graph.serde import to_proto

PLACE: Final = "held apart"
"""Location of tensors that lie in no file: whoever has the model has their arrays."""

_SESSIONS_APART_FROM: Final = 1 << 20
"""Bytes of weights from which a session gets the large ones as arrays, not in its message.

Serialised, they would be in memory twice more while the session opens: 91 MB less for a frozen
Xception, and 0.2 s.
"""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class SessionModel:
    """A model for a session of this process.

    Args:
        content: its message.
        arrays: the weights that are not in the message, by name.
        folder: the folder that data files are named from in the message.
        regions: parts of data files that hold weights, by name.
    """

    content: bytes
    arrays: Arrays = field(default_factory=dict)
    folder: Path | None = None
    regions: Mapping[str, Region] = field(default_factory=dict)

    def in_memory(self) -> Arrays:
        """Return the arrays that no file holds as the message says, by name."""
        return {
            name: array
            for name, array in self.arrays.items()
            if name not in self.regions or region_of(array) != self.regions[name]
        }


def to_proto_apart(
    graph: ir.Graph, metadata: Mapping[str, str] | None = None
) -> tuple[onnx.ModelProto, Arrays]:
    """Wrap a graph as a model, as `to_proto` does; large weights of large models stay apart.

    Args:
        graph: graph with its inputs, outputs and initializers.
        metadata: entries for `metadata_props`.

    Returns:
        The ModelProto, and the weights that are not in it by name; none for a small model.
    """
    arrays = _large_ones(graph, APART_FROM)
    with _elsewhere(graph, arrays):
        return to_proto(graph, metadata), arrays


def to_session_model(graph: ir.Graph) -> SessionModel:
    """Return a graph as a session takes it."""
    large = _large_ones(graph, _SESSIONS_APART_FROM)
    arrays = {name: array for name, array in large.items() if array.dtype.name in ALL_TYPES}
    with _elsewhere(graph, arrays):
        proto = to_proto(graph)
    return for_session(proto, arrays)


def for_session(proto: onnx.ModelProto, arrays: Arrays) -> SessionModel:
    """Return a model as a session takes it: weights that lie in data files are named by these.

    Args:
        proto: the ModelProto; it is changed.
        arrays: the weights that are not in it, by name.
    """
    regions: dict[str, Region] = {}
    if sum(array.nbytes for array in arrays.values()) >= APART_FROM:  # below, packing pays
        found = {name: region_of(array) for name, array in arrays.items()}
        regions = {name: region for name, region in found.items() if region is not None}
    folder = _common_folder(regions)
    if folder is None:
        regions = {}
    for tensor in proto.graph.initializer:
        region = regions.get(tensor.name)
        if region is not None:
            location = os.path.relpath(region.path, folder)
            _point(tensor, Path(location).as_posix(), region.offset, region.length)
    content = proto.SerializeToString(deterministic=True)
    return SessionModel(content, arrays, folder, regions)


def tensor_apart(name: str, dtype: ir.DataType, shape: ir.ShapeProtocol) -> ir.ExternalTensor:
    """Return a tensor whose numbers lie elsewhere.

    Args:
        name: its name.
        dtype: its dtype.
        shape: its shape.
    """
    sizes = shape.numpy()
    length = math.ceil(math.prod(sizes) * dtype.itemsize)
    return ir.ExternalTensor(PLACE, 0, length, dtype, shape=ir.Shape(sizes), name=name)


def leave_apart(tensor: onnx.TensorProto, length: int) -> None:
    """Say of a tensor that its numbers lie elsewhere, in place.

    Args:
        tensor: the tensor.
        length: the bytes of its numbers.
    """
    tensor.ClearField("raw_data")
    _point(tensor, PLACE, 0, length)


def _large_ones(graph: ir.Graph, start: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a graph that stay apart, from so many bytes of all weights on.

    ONNX Runtime forgets those that nothing uses, and then wants no array for them.
    """
    stored = {
        name: value.const_value
        for name, value in graph.initializers.items()
        if value.uses() or value.is_graph_output()
    }
    sizes = {name: 0 if t is None or t.dtype is ir.DataType.STRING else t.nbytes
             for name, t in stored.items()}  # fmt: skip
    if sum(sizes.values()) < start:
        return {}
    return {
        name: tensor.numpy()
        for name, tensor in stored.items()
        if tensor is not None and sizes[name] >= LARGE and not isinstance(tensor, ir.PackedTensor)
    }


@contextlib.contextmanager
def _elsewhere(graph: ir.Graph, arrays: Arrays) -> Iterator[None]:
    """Say inside that some weights lie elsewhere."""
    before = {name: graph.initializers[name].const_value for name in arrays}
    try:
        for name, tensor in before.items():
            assert tensor is not None
            graph.initializers[name].const_value = tensor_apart(name, tensor.dtype, tensor.shape)
        yield
    finally:
        for name, tensor in before.items():
            graph.initializers[name].const_value = tensor


def _point(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Say where a tensor lies."""
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def _common_folder(regions: Mapping[str, Region]) -> Path | None:
    """The deepest folder that all files lie in; None if there is none, or no file."""
    with contextlib.suppress(ValueError):  # no file, or files on several drives
        return Path(os.path.commonpath([region.path.parent for region in regions.values()]))
    return None
