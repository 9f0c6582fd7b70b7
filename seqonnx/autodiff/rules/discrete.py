"""Operators without a gradient that belong to no family: integers, text, constants."""

from __future__ import annotations

from seqonnx.autodiff.registry import declare
from seqonnx.graph.versions import LOOKUP_DOMAIN

declare(
    "",
    *("DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"),
    *("ConvInteger", "MatMulInteger"),
    reason="rounds to integers",
)
declare(
    "",
    *("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"),
    *("ImageDecoder",),
    reason="reads text or bytes",
)
declare(LOOKUP_DOMAIN, "LabelEncoder", reason="looks up text or integers")
declare("", "NonMaxSuppression", reason="returns positions")
declare(
    "",
    *("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"),
    reason="makes constants",
)
declare(
    "", "SequenceLength", "SequenceEmpty", "OptionalHasElement", reason="returns sizes or nothing"
)
