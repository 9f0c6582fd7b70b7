"""Reports on models: the summary table here, and in `collect` what a file holds.

`seqonnx.report.collect` and what renders its records import `onnx`; the summary does not.
"""

from __future__ import annotations

from seqonnx.report.summary import LayerRow, SummaryTotals, render_summary

__all__ = ["LayerRow", "SummaryTotals", "render_summary"]
