"""From a node that ONNX Runtime has run, perhaps a fused one, to the node of the file.

A fused node has the name of one that went into it, or, where its layout is blocked, the name of the
value that it makes. Its time is that of the node that gave it its operator.
"""

from __future__ import annotations

from typing import Final

import onnx

from seqonnx.report.read import graphs_of
from seqonnx.runtime import ProfileRecord

_DEEPEST: Final = 5
"""Most nodes in a row that are fused into one: a convolution, its bias, a sum, an activation."""


class NodeNames:
    """The nodes of a model by the names that ONNX Runtime's profile has for them.

    Args:
        model: the model as it runs, each node with a name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        nodes = [node for graph in graphs_of(model) for node in graph.node]
        self._operators = {node.name: node.op_type for node in nodes}
        self._makers = {name: node for node in nodes for name in node.output if name}

    def owner(self, record: ProfileRecord) -> str | None:
        """Return the name of the node that a record is about; None if ONNX Runtime added it."""
        maker = self._makers.get(record.node)
        operator = self._operators.get(record.node)
        if maker is None or (operator is not None and record.op.endswith(operator)):
            return record.node if operator is not None else None
        level = [maker]
        for _ in range(_DEEPEST):
            for node in level:
                if record.op.endswith(node.op_type):
                    return str(node.name)
            names = [name for node in level for name in node.input]
            level = [self._makers[name] for name in names if name in self._makers]
        return str(maker.name)
