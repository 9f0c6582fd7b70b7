"""The layer graph: who was called on what, and how it becomes an ONNX graph."""

from seqonnx.graph import BATCH
from seqonnx.symbolic.arguments import Arguments
from seqonnx.symbolic.carrying import declare_updates, emit_baked
from seqonnx.symbolic.forward import emit_forward
from seqonnx.symbolic.network import (
    calls_between,
    emit_network,
    graph_input,
    infer_call,
    outputs_in,
    symbolic_shape,
)
from seqonnx.symbolic.order import layer_order
from seqonnx.symbolic.tensor import Emits, LayerCall, Shape, Symbolic, SymbolicTensor

__all__ = [
    "BATCH",
    "Arguments",
    "Emits",
    "LayerCall",
    "Shape",
    "Symbolic",
    "SymbolicTensor",
    "calls_between",
    "declare_updates",
    "emit_baked",
    "emit_forward",
    "emit_network",
    "graph_input",
    "infer_call",
    "layer_order",
    "outputs_in",
    "symbolic_shape",
]
