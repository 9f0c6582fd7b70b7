"""Graphs: pinned versions, the emitter, reading graphs, deterministic names, variables, files."""

from seqonnx.graph.changes import (
    commit,
    last_change,
    last_setting,
    note_setting,
    settled_change,
)
from seqonnx.graph.emitter import Emitter, WeightsAs, ir_dtype
from seqonnx.graph.names import (
    BATCH,
    auto_name,
    check_name,
    clear_session,
    get_uid,
    to_snake_case,
)
from seqonnx.graph.noise_inputs import NoiseInput
from seqonnx.graph.reading import Dim, dtype_name, static_shape
from seqonnx.graph.tracing import Trace, TracedTensor, current_trace, tracing
from seqonnx.graph.variable import (
    Aggregation,
    Copy,
    Home,
    Variable,
    assign_together,
    read_together,
)
from seqonnx.graph.versions import IR_VERSION, OPSET

__all__ = [
    "BATCH",
    "IR_VERSION",
    "OPSET",
    "Aggregation",
    "Copy",
    "Dim",
    "Emitter",
    "Home",
    "NoiseInput",
    "Trace",
    "TracedTensor",
    "Variable",
    "WeightsAs",
    "assign_together",
    "auto_name",
    "check_name",
    "clear_session",
    "commit",
    "current_trace",
    "dtype_name",
    "get_uid",
    "ir_dtype",
    "last_change",
    "last_setting",
    "note_setting",
    "read_together",
    "settled_change",
    "static_shape",
    "to_snake_case",
    "tracing",
]
