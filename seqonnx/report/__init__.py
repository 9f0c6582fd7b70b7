"""Reports on models: the table of `summary()`, and what `seqonnx.inspect` says of an ONNX model."""

from __future__ import annotations

from seqonnx.report.inspecting import inspect
from seqonnx.report.inspection import Inspection
from seqonnx.report.records import Row, Tensor, Totals
from seqonnx.report.summary import LayerRow, SummaryTotals, render_summary

__all__ = [
    "Inspection",
    "LayerRow",
    "Row",
    "SummaryTotals",
    "Tensor",
    "Totals",
    "inspect",
    "render_summary",
]
