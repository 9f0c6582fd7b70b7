"""The ledger: every operator of the standard and what differentiation does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx

import seqonnx.autodiff.rules as _rules
from seqonnx.autodiff.registry import find_rule, why_nondifferentiable
from seqonnx.graph import OPSET

LedgerState = Literal["rule", "no gradient", "missing"]
Standard = Literal["differentiable", "not differentiable", "unknown", "no float input"]

_FLOATS = frozenset(f"tensor({dtype})" for dtype in ("float16", "bfloat16", "float", "double"))


DECISIONS = {
    "AffineGrid": "linear in `theta`",
    "Attention": "matrix products and Softmax",
    "Bernoulli": "a draw is piecewise constant; only its expectation has a derivative",
    "ConcatFromSequence": "Concat of what the sequence holds",
    "DFT": "linear in its input",
    "DeformConv": "a convolution of values interpolated between pixels",
    "DequantizeLinear": "linear in its input and scale",
    "DynamicQuantizeLinear": "for the straight-through estimator use QuantizeLinear with a scale",
    "EyeLike": "reads shape and type only",
    "Hardmax": "zero wherever there is a derivative",
    "If": "the gradient of the branch that was taken",
    "LayerNormalization": "mean, variance and a scale",
    "Loop": "the gradient of its body, backwards",
    "Multinomial": "returns positions",
    "NonMaxSuppression": "returns positions",
    "OneHot": "linear in the two values",
    "Optional": "the identity on what it holds",
    "OptionalGetElement": "the identity on what it holds",
    "OptionalHasElement": "returns a bool",
    "QLinearConv": "integers in and out; use Conv between QuantizeLinear and DequantizeLinear",
    "QuantizeLinear": "straight-through estimator",
    "RMSNormalization": "mean of squares and a scale",
    "RandomNormalLike": "reads shape and type only",
    "RandomUniformLike": "reads shape and type only",
    "Range": "as PyTorch's `arange`; to get a gradient, write start + delta * Range(0, n, 1)",
    "ReverseSequence": "a permutation",
    "RoiAlign": "interpolates between pixels",
    "RotaryEmbedding": "a rotation",
    "STFT": "linear in signal and window",
    "Scan": "the gradient of its body, backwards",
    "SequenceAt": "picks one",
    "SequenceConstruct": "the identity on each",
    "SequenceErase": "drops one",
    "SequenceInsert": "the identity on each",
    "SequenceMap": "the gradient of its body, for each",
    "SplitToSequence": "Split",
}
"""Decisions by hand, and why: where the standard says nothing or something else."""


@dataclass(frozen=True)
class LedgerEntry:
    """One operator.

    Args:
        op_type: name of the operator.
        state: `"rule"`, `"no gradient"` (zero everywhere or none by its nature) or `"missing"`.
        note: the family that holds the rule, or the reason why there is no gradient or no rule.
    """

    op_type: str
    state: LedgerState
    note: str


def ledger() -> list[LedgerEntry]:
    """Return an entry for every operator of the pinned operator set, by name.

    Example:
        >>> [entry.note for entry in ledger() if entry.op_type == "Add"]
        ['arithmetic']
    """
    _rules.load()
    return [_entry(op_type) for op_type in standard_operators()]


def standard_operators() -> list[str]:
    """Names of the operators of the pinned operator set that are not deprecated."""
    newest: dict[str, onnx.defs.OpSchema] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        known = newest.get(schema.name)
        if schema.domain != "" or schema.since_version > OPSET:
            continue
        if known is None or schema.since_version > known.since_version:
            newest[schema.name] = schema
    return sorted(name for name, schema in newest.items() if not schema.deprecated)


def _entry(op_type: str) -> LedgerEntry:
    rule = find_rule("", op_type)
    if rule is not None:
        return LedgerEntry(op_type, "rule", rule.__module__.rpartition(".")[2])
    reason = why_nondifferentiable("", op_type)
    if reason is not None:
        return LedgerEntry(op_type, "no gradient", reason)
    return LedgerEntry(op_type, "missing", "neither a rule nor a declaration")


def standard_says(op_type: str) -> Standard:
    """Return what the standard says of an operator's floating-point inputs, the best of them.

    Example:
        >>> standard_says("Add"), standard_says("Shape")
        ('differentiable', 'not differentiable')
    """
    category = onnx.defs.OpSchema.DifferentiationCategory
    schema = onnx.defs.get_schema(op_type, OPSET, "")
    found = {i.differentiation_category for i in schema.inputs if _FLOATS & set(i.types)}
    if category.Differentiable in found:
        return "differentiable"
    if category.Unknown in found:
        return "unknown"
    return "not differentiable" if len(found) > 0 else "no float input"
