"""The versions of a file: its operator set and its file format."""

from __future__ import annotations

import logging

import onnx
import onnx_ir as ir

from seqonnx.export.operator_set import OperatorSetError, lower_operators
from seqonnx.export.options import DEFAULT_OPSET, ExportOptions, lowest_ir_version

_logger = logging.getLogger("seqonnx")

_NODES_HOLD_METADATA = 10
"""The version of the file format since which nodes and values have metadata."""


def in_wanted_versions(
    model: onnx.ModelProto, options: ExportOptions, level: int = logging.WARNING
) -> onnx.ModelProto:
    """Return a model in the versions that were asked for, or in those that most readers take.

    Args:
        model: model in an operator set up to 23.
        options: what was asked for.
        level: how loud to say that the usual operator set cannot say the model.

    Raises:
        OperatorSetError: if the operator set cannot say the model.
        ValueError: if the file format is too old for the model.
    """
    if options.opset is not None:
        return in_versions(model, options.opset, options.ir_version)
    try:
        return in_versions(model, DEFAULT_OPSET, options.ir_version)
    except OperatorSetError as error:
        _logger.log(level, "Operator set %d is written. %s", error.lowest, error)
        return in_versions(model, error.lowest, options.ir_version)


def in_versions(model: onnx.ModelProto, opset: int, ir_version: int | None) -> onnx.ModelProto:
    """Return a model in an operator set and a file format.

    Args:
        model: model in this operator set or a newer one.
        opset: the operator set.
        ir_version: version of the file format; None for the lowest of the operator set.

    Raises:
        OperatorSetError: if the operator set cannot say the model.
        ValueError: if the file format is too old for the model.
    """
    domains = {entry.domain: entry.version for entry in model.opset_import}
    start = domains.pop("")
    lowest = lowest_ir_version(opset, domains)
    wanted = lowest if ir_version is None else ir_version
    if wanted < lowest:
        raise ValueError(
            f"`ir_version` must be at least {lowest} for operator set {opset}"
            f"{''.join(f', {domain} {version}' for domain, version in domains.items())}. "
            f"Received: ir_version={ir_version}"
        )
    if start == opset and model.ir_version == wanted:
        return model
    opened = ir.from_proto(model)
    lower_operators(opened.graph, opset)
    opened.ir_version = wanted
    if wanted < _NODES_HOLD_METADATA:
        _forget_metadata(opened.graph)
    return ir.to_proto(opened)


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operator set that a model is in."""
    return int(next(entry.version for entry in model.opset_import if entry.domain == ""))


def _forget_metadata(graph: ir.Graph) -> None:
    """Remove what only newer file formats hold; no reader computes with it."""
    for node in graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()
