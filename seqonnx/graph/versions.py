"""The one place that pins the operator set and the file format that seqonnx writes.

ONNX moves ahead of ONNX Runtime: the newest `onnx` writes an operator set that no released
runtime loads. Everything that seqonnx emits, and everything it imports (converted at the door),
speaks this one operator set, so a gradient rule never needs a version range.
"""

from __future__ import annotations

OPSET = 23
"""Version of the standard `ai.onnx` operator set in every graph that seqonnx emits."""

IR_VERSION = 11
"""Version of the ONNX file format (`ModelProto.ir_version`) that carries `OPSET`."""

LOOKUP_DOMAIN = "ai.onnx.ml"
"""ONNX's own second domain: its LabelEncoder looks up text, which no standard operator does."""

VERSIONS = {"": OPSET, LOOKUP_DOMAIN: 3}
"""Version of each domain; of the second an old one with this operator, which most readers load."""
