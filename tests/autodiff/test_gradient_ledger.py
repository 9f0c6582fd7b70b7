"""The ledger only grows, and every rule in it is checked."""

from __future__ import annotations

from pathlib import Path

import onnx

from seqonnx.autodiff.ledger import ledger, standard_operators
from seqonnx.graph import OPSET
from support.autodiff.gradient_cases import CASES

MISSING: set[str] = set()


SEQUENCES = (
    *("ConcatFromSequence", "Optional", "OptionalGetElement", "SequenceAt", "SequenceConstruct"),
    *("SequenceErase", "SequenceInsert", "SequenceMap", "SplitToSequence"),
)
TESTED_ELSEWHERE = {
    "If": "test_gradient_control_flow.py",
    "Loop": "test_gradient_control_flow.py",
    "Scan": "test_gradient_control_flow.py",
    "QuantizeLinear": "test_gradient_quantization.py",
    "DequantizeLinear": "test_gradient_quantization.py",
    **dict.fromkeys(SEQUENCES, "test_gradient_sequences.py"),
}


def test_no_operator_is_missing_that_was_not():
    missing = {entry.op_type for entry in ledger() if entry.state == "missing"}
    assert missing - MISSING == set()
    assert MISSING - missing == set(), "now present: take it off the list above"


def test_every_rule_has_a_case():
    ruled = {entry.op_type for entry in ledger() if entry.state == "rule"}
    assert ruled - {case.op_type for case in CASES} == set(TESTED_ELSEWHERE)
    for file in TESTED_ELSEWHERE.values():
        assert (Path(__file__).parent / file).exists()


def test_every_case_has_a_rule():
    ruled = {entry.op_type for entry in ledger() if entry.state == "rule"}
    assert {case.op_type for case in CASES} - ruled == set()


def test_case_names_differ():
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))


def test_every_entry_says_where_or_why():
    assert all(entry.note != "" for entry in ledger())


def test_operators_are_those_of_the_pinned_set():
    names = standard_operators()
    assert len(names) == len(set(names)) > 180
    for name in names:
        schema = onnx.defs.get_schema(name, OPSET, "")
        assert not schema.deprecated
    assert "Scatter" not in names
    assert "Swish" not in names
