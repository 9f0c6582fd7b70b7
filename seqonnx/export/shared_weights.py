"""Weights that several graphs have, in files beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import onnx

from seqonnx.graph.files import SMALL_TENSOR, Arrays
from seqonnx.graph.mapped import chunks_of

_ALIGNMENT = 4096
"""The offset that a file can be mapped from."""
_LARGEST = 1 << 30
"""Bytes after which another file begins: programs read each into one buffer, of 2 GiB at most."""

Part = bytes | npt.NDArray[Any]


@dataclass
class SharedFile:
    """A file of weights.

    Args:
        name: its name.
        parts: its weights, with the zeros before them.
        size: its bytes.
    """

    name: str
    parts: list[Part] = field(default_factory=list)
    size: int = 0

    def add(self, part: Part) -> int:
        """Add a weight; returns its offset."""
        self.parts.append(bytes(-self.size % _ALIGNMENT))
        offset = self.size + len(self.parts[-1])
        self.parts.append(part)
        self.size = offset + _length(part)
        return offset

    def chunks(self) -> Iterator[bytes]:
        """Yield its content, piece by piece."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from chunks_of(part)


def share_weights(
    models: Sequence[onnx.ModelProto], names: Iterator[str], arrays: Sequence[Arrays] = ()
) -> list[SharedFile]:
    """Move the large weights that more than one graph has out of the graphs, in place.

    Args:
        models: the ModelProtos.
        names: names for files that the weights are to lie in, beside those of the graphs.
        arrays: for each model the weights that are not in it, by name; all of them are moved.

    Returns:
        The files; none where there are no such weights.

    Example:
        >>> make = lambda: onnx.ModelProto(graph=onnx.GraphProto(initializer=[
        ...     onnx.TensorProto(name="kernel", data_type=1, dims=[512], raw_data=bytes(2048))]))
        >>> models = [make(), make()]
        >>> (file,) = share_weights(models, iter(["frozen.bin"]))
        >>> file.size, len(models[0].graph.initializer[0].raw_data)
        (2048, 0)
    """
    in_graphs = [{t.raw_data for t in model.graph.initializer} for model in models]
    found = Counter(data for graph in in_graphs for data in graph if len(data) >= SMALL_TENSOR)
    files: list[SharedFile] = []
    places: dict[Any, tuple[str, int]] = {}
    for model, apart in zip(models, arrays or [{}] * len(models), strict=True):
        for tensor in model.graph.initializer:
            part = _part_of(tensor, apart, found)
            if part is None:
                continue
            key = part if isinstance(part, bytes) else (part.ctypes.data, part.nbytes)
            if key not in places:
                if len(files) == 0 or files[-1].size + _length(part) > _LARGEST:
                    files.append(SharedFile(next(names)))
                places[key] = files[-1].name, files[-1].add(part)
            _point(tensor, *places[key], _length(part))
    return files


def _part_of(tensor: onnx.TensorProto, apart: Arrays, found: Mapping[bytes, int]) -> Part | None:
    """The weight that a tensor stands for, where it is to lie in a file."""
    if tensor.name in apart and tensor.data_location == onnx.TensorProto.EXTERNAL:
        return apart[tensor.name]
    return tensor.raw_data if found[tensor.raw_data] > 1 else None


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part.nbytes


def _point(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Say where a tensor lies."""
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
