"""The ledger: every operator of the standard and what differentiation does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx

import seqonnx.autodiff.rules as _rules
from seqonnx.autodiff.registry import find_rule, why_nondifferentiable
from seqonnx.graph import OPSET

State = Literal["rule", "no gradient", "missing"]

_SEQUENCE = (
    "works on a sequence or an optional, whose gradient would be one of the same kind: the engine "
    "adds and types tensors only. Where the parts are known, Split, Concat, Slice and If say the "
    "same."
)
_WHY_MISSING = {
    "MaxRoiPool": "bins of whole pixels that differ with each region; use RoiAlign",
    **dict.fromkeys(
        [
            *("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceErase"),
            *("SequenceInsert", "SequenceMap", "SplitToSequence", "Optional"),
            "OptionalGetElement",
        ],
        _SEQUENCE,
    ),
}


@dataclass(frozen=True)
class Entry:
    """One operator.

    Args:
        op_type: name of the operator.
        state: `"rule"`, `"no gradient"` (zero everywhere or none by its nature) or `"missing"`.
        note: the family that holds the rule, or the reason why there is no gradient or no rule.
    """

    op_type: str
    state: State
    note: str


def ledger() -> list[Entry]:
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


def _entry(op_type: str) -> Entry:
    rule = find_rule("", op_type)
    if rule is not None:
        return Entry(op_type, "rule", rule.__module__.rpartition(".")[2])
    reason = why_nondifferentiable("", op_type)
    if reason is not None:
        return Entry(op_type, "no gradient", reason)
    return Entry(op_type, "missing", _WHY_MISSING.get(op_type, ""))
