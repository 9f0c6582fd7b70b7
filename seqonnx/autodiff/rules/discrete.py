"""Operators without a gradient that belong to no family: integers, text, constants."""

from __future__ import annotations

from seqonnx.autodiff.registry import nondifferentiable

nondifferentiable(
    "",
    *("DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"),
    *("ConvInteger", "MatMulInteger"),
    reason="rounds to integers",
)
nondifferentiable(
    "",
    *("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"),
    *("ImageDecoder",),
    reason="reads text or bytes",
)
nondifferentiable("", "NonMaxSuppression", reason="returns positions")
nondifferentiable(
    "",
    *("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"),
    reason="makes constants",
)
nondifferentiable(
    "", "SequenceLength", "SequenceEmpty", "OptionalHasElement", reason="returns sizes or nothing"
)
