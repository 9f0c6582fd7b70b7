"""Graphs: pinned versions, the emitter, deterministic names, variables, files."""

from seqonnx.graph.emitter import Emitter, WeightsAs, ir_dtype
from seqonnx.graph.names import auto_name, check_name, clear_session, to_snake_case
from seqonnx.graph.reading import Dim, dtype_name, static_shape
from seqonnx.graph.variable import (
    Copy,
    Home,
    Variable,
    assign_together,
    commit,
    last_change,
    last_setting,
    note_setting,
    read_together,
    settled_change,
)
from seqonnx.graph.versions import IR_VERSION, OPSET

__all__ = [
    "IR_VERSION",
    "OPSET",
    "Copy",
    "Dim",
    "Emitter",
    "Home",
    "Variable",
    "WeightsAs",
    "assign_together",
    "auto_name",
    "check_name",
    "clear_session",
    "commit",
    "dtype_name",
    "ir_dtype",
    "last_change",
    "last_setting",
    "note_setting",
    "read_together",
    "settled_change",
    "static_shape",
    "to_snake_case",
]
