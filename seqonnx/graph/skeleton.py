"""A model file without its weights, read past them: what it takes in memory is what is left.

A protobuf message is a row of fields, each with its length in front, so a weight is stepped over
without being read. What is left is the same ModelProto, in which a large tensor keeps its name,
type and shape, and is marked as skipped. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import onnx
from google.protobuf.message import DecodeError

KEPT_BYTES: Final = 4096
"""Largest tensor, in the file, that keeps its values: Reshape and the like need theirs."""

_SKIPPED: Final = "skipped"
_VALUES: Final = frozenset(
    field.number
    for field in onnx.TensorProto.DESCRIPTOR.fields
    if field.name == "raw_data" or (field.name.endswith("_data") and field.name != "external_data")
)
_DEEPEST: Final = 100
"""Levels of messages that protobuf reads; it refuses deeper ones."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5

_Bytes = bytes | mmap.mmap


class _Field(NamedTuple):
    """A field of a message: where it begins, where its content does, and where both end."""

    number: int
    wire: int
    start: int
    content: int
    end: int


def read_skeleton(path: Path) -> tuple[bytes, int]:
    """Return a serialized ModelProto without the values of large tensors, and the file's size.

    Args:
        path: the file, of any size.

    Raises:
        OSError: if it cannot be read.
        DecodeError: if it is no protobuf message, or ends inside of one.

    Example:
        >>> data, nbytes = read_skeleton(Path("model.onnx"))
        >>> onnx.ModelProto.FromString(data).graph.name
        'mnist'
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # a pipe has no size, and an empty file no map
            data = file.read()
            return skeleton_of(data), len(data)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return skeleton_of(mapped), len(mapped)


def skeleton_of(data: _Bytes) -> bytes:
    """Return a serialized ModelProto without the values of large tensors.

    Args:
        data: the serialized ModelProto.

    Raises:
        DecodeError: if it is no protobuf message, or ends inside of one.
    """
    return _without_values(data, 0, len(data), onnx.ModelProto.DESCRIPTOR, 1)


def is_skipped(tensor: onnx.TensorProto) -> bool:
    """Whether the values of a tensor were left in the file."""
    return any(entry.key == _SKIPPED for entry in tensor.external_data)


def _without_values(data: _Bytes, start: int, end: int, kind: Any, depth: int) -> bytes:
    """Return a message of the descriptor `kind`, with the large messages in it made small."""
    if depth > _DEEPEST:
        return data[start:end]
    if kind is onnx.TensorProto.DESCRIPTOR:
        return _without_own_values(data, start, end)
    parts, copied = [], start
    for field in _fields(data, start, end):
        inner = kind.fields_by_number.get(field.number)
        if (
            field.wire == _LENGTH
            and field.end - field.content > KEPT_BYTES
            and inner is not None
            and inner.message_type is not None
        ):
            content = _without_values(data, field.content, field.end, inner.message_type, depth + 1)
            tag = _written(field.number << 3 | _LENGTH)
            parts += [data[copied : field.start], tag, _written(len(content)), content]
            copied = field.end
    return b"".join((*parts, data[copied:end]))


def _without_own_values(data: _Bytes, start: int, end: int) -> bytes:
    """Return a tensor without its values, marked so unless they are in another file anyway."""
    parts, copied = [], start
    for field in _fields(data, start, end):
        if field.number in _VALUES:
            parts.append(data[copied : field.start])
            copied = field.end
    rest = b"".join((*parts, data[copied:end]))
    if len(parts) == 0 or _is_external(rest):
        return rest
    mark = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    mark.external_data.add(key=_SKIPPED, value=str(end - start - len(rest)))
    return rest + bytes(mark.SerializeToString())


def _is_external(tensor: bytes) -> bool:
    """Whether a serialized tensor says that its values are in another file."""
    field = onnx.TensorProto.DATA_LOCATION_FIELD_NUMBER
    places = [f.content for f in _fields(tensor, 0, len(tensor)) if f.number == field]
    return len(places) > 0 and tensor[places[-1]] == onnx.TensorProto.EXTERNAL


def _fields(data: _Bytes, start: int, end: int) -> Iterator[_Field]:
    """Yield the fields of a message, with a look at nothing but their tags and lengths."""
    while start < end:
        tag, content = _varint(data, start, end)
        wire, stop = tag & 7, content
        if wire == _VARINT:
            _, stop = _varint(data, content, end)
        elif wire == _LENGTH:
            length, content = _varint(data, content, end)
            stop = content + length
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            stop = content + (8 if wire == _EIGHT_BYTES else 4)
        else:
            raise DecodeError(f"byte {start:,} begins no field of a protobuf message")
        if tag < 8:
            raise DecodeError(f"byte {start:,} begins no field of a protobuf message")
        if stop > end:
            raise DecodeError(f"the field at byte {start:,} ends {stop - end:,} bytes too late")
        yield _Field(tag >> 3, wire, start, content, stop)
        start = stop


def _varint(data: _Bytes, start: int, end: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, and return it with the place after it."""
    number = 0
    for index in range(start, min(start + 10, end)):
        number |= (data[index] & 127) << 7 * (index - start)
        if data[index] < 128:
            return number, index + 1
    raise DecodeError(f"the number at byte {start:,} does not end")


def _written(number: int) -> bytes:
    """Write a number of 7 bits a byte."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes((*digits, number))
