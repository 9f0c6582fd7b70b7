"""Differences between two ONNX files: nodes paired by what they compute, then compared."""

from __future__ import annotations

from seqonnx.report.diff.comparing import diff_files
from seqonnx.report.diff.render import diff_json, diff_text

__all__ = ["diff_files", "diff_json", "diff_text"]
