"""Differences in a node that two files have: operator, attributes, inputs, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from onnx import defs, helper

from seqonnx.report.diff.graphs import DiffGraph, Origin, PairedNode
from seqonnx.report.diff.matching import Pairing
from seqonnx.report.diff.records import ChangedDetail
from seqonnx.report.format import shape_text

_GRAPHS = frozenset({onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS})
Place = tuple[DiffGraph, PairedNode]
Versions = tuple[Mapping[str, int], Mapping[str, int]]


def node_changes(
    one: Place, two: Place, pairing: Pairing, versions: Versions, dims: Mapping[str, str]
) -> list[ChangedDetail]:
    """Compare two nodes that were paired.

    Args:
        one: a graph of the first file, and a node of it.
        two: the same of the second file.
        pairing: which nodes are the same.
        versions: of the operator sets of both files.
        dims: what the first file calls the dimensions of the second.
    """
    node, other = one[1], two[1]
    found = []
    if node.row.op_type != other.row.op_type:
        found.append(ChangedDetail("operator", node.row.op_type, other.row.op_type))
    found += _attributes(node.proto, other.proto, versions)
    found += _inputs(one, two, pairing)
    before = node.row.dtype, shape_text(node.row.output_shape)
    named = tuple(dims.get(str(dim), dim) for dim in other.row.output_shape or ())
    after = other.row.dtype, shape_text(other.row.output_shape and named)
    for what, left, right in zip(("dtype", "shape"), before, after, strict=True):
        if left != right and "?" not in {left, right}:
            found.append(ChangedDetail(what, left, right))
    if len(node.proto.output) != len(other.proto.output):
        counts = (str(len(proto.output)) for proto in (node.proto, other.proto))
        found.append(ChangedDetail("outputs", *counts))
    return found


def _attributes(
    one: onnx.NodeProto, two: onnx.NodeProto, versions: Versions
) -> Iterator[ChangedDetail]:
    """Yield the attributes that differ; one that is left out has its default."""
    before, after = _settings(one, versions[0]), _settings(two, versions[1])
    defaults = _defaults(one, versions[0]), _defaults(two, versions[1])
    for name in dict.fromkeys((*before, *after)):
        left = before.get(name, defaults[0].get(name, ""))
        right = after.get(name, defaults[1].get(name, ""))
        if left != right:
            yield ChangedDetail(name, left or "none", right or "none")


def _settings(node: onnx.NodeProto, versions: Mapping[str, int]) -> dict[str, str]:
    """Return the attributes of a node as texts, without bodies, which are compared as graphs."""
    return {a.name: _text(a) for a in node.attribute if a.type not in _GRAPHS}


def _defaults(node: onnx.NodeProto, versions: Mapping[str, int]) -> dict[str, str]:
    """Return the defaults of the attributes of a node in its operator set."""
    version = versions.get(node.domain or "ai.onnx", 1)
    try:
        schema = defs.get_schema(node.op_type, version, node.domain)
    except defs.SchemaError:
        return {}
    stated = schema.attributes.items()
    return {name: _text(a.default_value) for name, a in stated if a.default_value.name}


def _text(attribute: onnx.AttributeProto) -> str:
    """Write the value of an attribute."""
    if attribute.ref_attr_name:
        return f"attribute {attribute.ref_attr_name}"
    return _value_text(helper.get_attribute_value(attribute))


def _value_text(value: Any) -> str:
    """Write a number, a text, a tensor, or a list of these."""
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return f"[{', '.join(map(_value_text, value))}]"
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(value)
        return f"{onnx.TensorProto.DataType.Name(value.data_type)} {array.tolist()}"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _inputs(one: Place, two: Place, pairing: Pairing) -> Iterator[ChangedDetail]:
    """Yield the inputs that come from elsewhere."""
    left, right = one[0].origins(one[1]), two[0].origins(two[1])
    for index in range(max(len(left), len(right))):
        before = left[index] if index < len(left) else None
        after = right[index] if index < len(right) else None
        if not pairing.same(before, after):
            names = (_source(before, one, index), _source(after, two, index))
            yield ChangedDetail(f"input {index}", *names)


def _source(origin: Origin | None, place: Place, index: int) -> str:
    """Say where an input comes from."""
    if origin is None:
        return "none"
    if origin.node is not None:
        return f"{origin.node.row.op_type} {origin.node.row.name}"
    kind = "input" if origin.stored is None else "weight"
    return f"{kind} {place[1].proto.input[index]}"
