"""Models as bytes and files: the only reader and writer of protobuf."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from seqonnx.graph.versions import IR_VERSION

PRODUCER = "seqonnx"


def to_proto(graph: ir.Graph, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Wrap a graph as a model with the pinned versions.

    Args:
        graph: graph with its inputs, outputs and initializers.
        metadata: entries for `metadata_props`.

    Returns:
        The ModelProto.
    """
    model = ir.Model(graph, ir_version=IR_VERSION, producer_name=PRODUCER)
    model.metadata_props.update(metadata or {})
    return ir.to_proto(model)


def to_bytes(graph: ir.Graph, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a graph as the bytes of a model; the same graph always gives the same bytes."""
    content: bytes = to_proto(graph, metadata).SerializeToString(deterministic=True)
    return content
