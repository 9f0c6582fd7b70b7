"""Read an ONNX file as it is, but for its weights, with one clear line on failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError, Message

from seqonnx.errors import ModelFileError
from seqonnx.graph.external import lies_outside
from seqonnx.graph.skeleton import is_skipped, read_skeleton, skeleton_of
from seqonnx.report.tensors import byte_size

_PROTOBUF_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class ModelFile:
    """A parsed file: the model, sizes in bytes, and remarks on missing external data."""

    model: onnx.ModelProto
    file_bytes: int
    external_bytes: int
    notes: tuple[str, ...]


def read_model(path: str | Path) -> ModelFile:
    """Parse an ONNX file without its weights, be they in it or beside it.

    Args:
        path: the file, of any size; its extension does not matter, its content is binary protobuf.

    Raises:
        ModelFileError: if the file is absent, a directory, empty, truncated or not an ONNX model.
            The message is one line that names the file and what is wrong.

    Example:
        >>> read_model("model.onnx").model.ir_version
        11
    """
    data, file_bytes = _read_bytes(Path(path))
    model = _parsed(data, path)
    external_bytes, notes = _external_data(model, Path(path).parent)
    return ModelFile(model, file_bytes, external_bytes, notes)


def read_proto(model: onnx.ModelProto, title: str) -> ModelFile:
    """Return a ModelProto as if it came from a file in the working directory; it is not changed.

    Args:
        model: the ModelProto.
        title: what errors call it.

    Raises:
        ModelFileError: if it is not complete, or larger than protobuf can write.
    """
    try:
        data = model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelFileError(
            f"{title}: cannot be written by protobuf, which holds 2 GiB: {error}. Save it with "
            "external data and inspect the file."
        ) from None
    model = _parsed(skeleton_of(data), title)
    return ModelFile(model, len(data), *_external_data(model, Path()))


def refuse_unloadable(path: str | Path) -> None:
    """Raise a ModelFileError for a file that no session can be made of, before one is tried.

    Args:
        path: the file.
    """
    if Path(path).stat().st_size > _PROTOBUF_LIMIT:
        raise ModelFileError(
            f"{path}: is larger than 2 GiB, which protobuf cannot hold: --check and --providers "
            "need its weights as external data; everything else works without"
        )


def graphs_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Yield the main graph and every subgraph of it and of the functions."""
    pending = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    pending.extend(graph for node in nodes for _, graph in subgraphs(node))
    while pending:
        graph = pending.pop()
        yield graph
        pending.extend(body for node in graph.node for _, body in subgraphs(node))


def subgraphs(node: onnx.NodeProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    """Yield `(attribute name, graph)` for each body of an If, Loop, Scan or the like."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.name, attribute.g
        for graph in attribute.graphs:
            yield attribute.name, graph


def stored_tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Yield `(value name, tensor)` stored in `graph` itself: initializers, `Constant` values.

    Of a sparse tensor these are its values other than zero; see `sparse_tensors`.
    """
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, sparse.values
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                yield from ((node.output[0], tensor) for tensor in _constant_value(attribute))


def sparse_tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.SparseTensorProto]]:
    """Yield `(value name, tensor)` for those of the stored tensors that are sparse."""
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, sparse
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
                    yield node.output[0], attribute.sparse_tensor


def _constant_value(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    """Yield the value of a `Constant` node as a tensor; a list of numbers has rank 1."""
    kinds = onnx.AttributeProto
    match attribute.type:
        case kinds.TENSOR:
            yield attribute.t
        case kinds.SPARSE_TENSOR:
            yield attribute.sparse_tensor.values
        case kinds.FLOAT:
            yield onnx.TensorProto(data_type=1, float_data=[attribute.f])
        case kinds.FLOATS:
            numbers = attribute.floats
            yield onnx.TensorProto(data_type=1, dims=[len(numbers)], float_data=numbers)
        case kinds.INT:
            yield onnx.TensorProto(data_type=7, int64_data=[attribute.i])
        case kinds.INTS:
            integers = attribute.ints
            yield onnx.TensorProto(data_type=7, dims=[len(integers)], int64_data=integers)
        case kinds.STRING:
            yield onnx.TensorProto(data_type=8, string_data=[attribute.s])
        case kinds.STRINGS:
            texts = attribute.strings
            yield onnx.TensorProto(data_type=8, dims=[len(texts)], string_data=texts)


def _read_bytes(path: Path) -> tuple[bytes, int]:
    """Read the file but for its weights, and its size, or say in one line why not."""
    try:
        if path.is_dir():
            raise ModelFileError(f"{path}: is a directory, not an ONNX file")
        data, file_bytes = read_skeleton(path)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except DecodeError as error:
        raise _no_model(path, error) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: cannot be read: {reason}") from None
    if not file_bytes:
        raise ModelFileError(f"{path}: is empty (0 bytes)")
    if len(data) > _PROTOBUF_LIMIT:
        raise ModelFileError(
            f"{path}: is larger than 2 GiB without its weights, which protobuf cannot hold"
        )
    return data, file_bytes


def _parsed(data: bytes, path: str | Path) -> onnx.ModelProto:
    """Parse a model and look whether it is one."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise _no_model(path, error) from None
    _check_is_model(path, model)
    _check_text(path, model)
    return model


def _no_model(path: str | Path, error: DecodeError) -> ModelFileError:
    """Return the error for bytes that are no protobuf message."""
    return ModelFileError(
        f"{path}: not an ONNX model: the file is truncated or is something else ({error})"
    )


def _check_is_model(path: str | Path, model: onnx.ModelProto) -> None:
    """Reject bytes that happen to parse as protobuf but miss what every model has."""
    missing = [
        what
        for what, present in (
            ("IR version", model.ir_version > 0),
            ("graph", model.HasField("graph")),
            ("operator set", len(model.opset_import) > 0 or 0 < model.ir_version < 3),
        )
        if not present
    ]
    if missing:
        raise ModelFileError(
            f"{path}: not a complete ONNX model: it has no {', no '.join(missing)} "
            "(truncated, or another kind of file)"
        )


def _check_text(path: str | Path, model: onnx.ModelProto) -> None:
    """Reject names that are not UTF-8: protobuf lets them through as bytes."""
    pending: list[Message] = [model]
    while pending:
        for field, content in pending.pop().ListFields():
            if field.type == field.TYPE_MESSAGE:
                pending.extend([content] if isinstance(content, Message) else content)
            elif field.type == field.TYPE_STRING:
                texts = [content] if isinstance(content, str | bytes) else content
                if any(isinstance(text, bytes) for text in texts):
                    raise ModelFileError(
                        f"{path}: not a sound ONNX model: a {field.full_name} is not UTF-8 text "
                        "(damaged file)"
                    )


def _external_data(model: onnx.ModelProto, folder: Path) -> tuple[int, tuple[str, ...]]:
    """Add up tensors kept in other files; say which files are missing or too short."""
    total = 0
    needed: dict[str, int] = {}
    for graph in graphs_of(model):
        for _, tensor in stored_tensors(graph):
            if tensor.data_location != onnx.TensorProto.EXTERNAL or is_skipped(tensor):
                continue
            keys = {entry.key: entry.value for entry in tensor.external_data}
            length = _integer(keys.get("length"), byte_size(tensor.data_type, tensor.dims))
            total += length
            location = keys.get("location", "")
            end = _integer(keys.get("offset"), 0) + length
            needed[location] = max(needed.get(location, 0), end)
    notes = []
    for location, end in needed.items():
        file = folder / location
        if lies_outside(folder, location):
            notes.append(
                f"External data file {location!r} lies outside the folder of the model; it was not "
                "looked at, and loading it is refused."
            )
        elif not file.is_file():
            notes.append(f"External data file {location!r} is missing.")
        elif file.stat().st_size < end:
            notes.append(
                f"External data file {location!r} is truncated: "
                f"{file.stat().st_size:,} of {end:,} bytes."
            )
    return total, tuple(notes)


def _integer(text: str | None, default: int) -> int:
    """Return the decimal number in `text`, or `default` where there is none."""
    return int(text) if text is not None and text.isdigit() else default
