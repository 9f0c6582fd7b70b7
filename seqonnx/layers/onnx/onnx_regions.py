"""RoiAlign and MaxRoiPool of an imported network, by their definitions.

ONNX Runtime 1.32 has kernels for their first versions, not for those of the pinned operator set.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.max_roi_pool import max_roi_pool_output
from seqonnx.autodiff.rules.regions import roi_align_output
from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_op
from seqonnx.lowering.replacing import replace_node

_DEFINITIONS = {"MaxRoiPool": max_roi_pool_output, "RoiAlign": roi_align_output}


def define_regions(graph: ir.Graph, title: str) -> None:
    """Put the definitions in the place of RoiAlign and MaxRoiPool, in place.

    Args:
        graph: graph in the pinned operator set.
        title: what errors call the model.

    Raises:
        ValueError: if there is one inside a body of If, Loop or Scan.
    """
    op = Emitter(graph)
    for node in list(graph.all_nodes()):
        if not is_op(node, *_DEFINITIONS):
            continue
        if node.graph is not graph:
            raise ValueError(
                f"{title} has {node.op_type} '{node.name or node.outputs[0].name}' inside an If, "
                "Loop or Scan, for which ONNX Runtime has no kernel of today's operator set. Move "
                "it out of the body, or cut the network before it (`outputs=`)."
            )
        replace_node(op, node, _defined)


def _defined(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """Emit the node by its definition."""
    made = _DEFINITIONS[node.op_type](RuleEmitter(op, [], "cpu"), node, node.inputs)
    made.type, made.shape = node.outputs[0].type, node.outputs[0].shape
    return [made]
