"""Graphs: pinned versions, the emitter, deterministic names, variables, files."""

from seqonnx.graph.emitter import Dim, Emitter, WeightsAs, dtype_name, ir_dtype, static_shape
from seqonnx.graph.names import auto_name, check_name, clear_session, to_snake_case
from seqonnx.graph.variable import (
    Home,
    Variable,
    last_change,
    last_setting,
    note_change,
    note_setting,
)
from seqonnx.graph.versions import IR_VERSION, OPSET

__all__ = [
    "IR_VERSION",
    "OPSET",
    "Dim",
    "Emitter",
    "Home",
    "Variable",
    "WeightsAs",
    "auto_name",
    "check_name",
    "clear_session",
    "dtype_name",
    "ir_dtype",
    "last_change",
    "last_setting",
    "note_change",
    "note_setting",
    "static_shape",
    "to_snake_case",
]
