"""Nodes that nothing uses: ONNX Runtime computes them all the same."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.graph import IR_VERSION


def drop_unused(graph: ir.Graph) -> None:
    """Remove the nodes and initializers that no graph output needs, in place.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> x = op.input("x", "float32", ("batch", 2))
        >>> _, _ = op.output(op.Relu(x), "y"), op.Neg(x)
        >>> drop_unused(op.graph)
        >>> [node.op_type for node in op.graph]
        ['Relu']
    """
    common_passes.RemoveUnusedNodesPass()(ir.Model(graph, ir_version=IR_VERSION))
