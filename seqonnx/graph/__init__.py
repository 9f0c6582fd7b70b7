"""Graphs: pinned versions, the emitter, reading graphs, deterministic names, variables, files.

Names are loaded on first use: who only reads a file does not pay for what builds graphs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from seqonnx.graph.tracing import Trace, TracedTensor, current_trace
    from seqonnx.graph.variable import (
        Aggregation,
        Copy,
        Home,
        Variable,
        assign_together,
        read_together,
    )
    from seqonnx.graph.versions import IR_VERSION, OPSET

_MODULES = {
    "changes": "commit last_change last_setting note_setting settled_change",
    "emitter": "Emitter WeightsAs ir_dtype",
    "names": "BATCH auto_name check_name clear_session get_uid to_snake_case",
    "noise_inputs": "NoiseInput",
    "reading": "Dim dtype_name static_shape",
    "tracing": "Trace TracedTensor current_trace",
    "variable": "Aggregation Copy Home Variable assign_together read_together",
    "versions": "IR_VERSION OPSET",
}
"""The names of this room by the file that has them."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

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
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqonnx.graph' has no attribute '{name}'")
    found = getattr(importlib.import_module(f"seqonnx.graph.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
