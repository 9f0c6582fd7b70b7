"""Gradients equal those of PyTorch's autograd, in float64, for every operator that it has.

Two cases of each operator; `tools/checks/torch_parity.py` compares all.
"""

from __future__ import annotations

import pytest

from support.autodiff.gradient_cases import CASES
from support.autodiff.gradient_check import Case

pytest.importorskip("torch")

import torch_parity
from torch_peers import NOT_IN_TORCH, PEERS, NoPeerError


def comparable(op_type: str) -> list[tuple[Case, float]]:
    """Two cases of an operator that PyTorch has, from both ends of its table, and their errors."""
    table = [c for c in CASES if c.op_type == op_type and str(c) not in torch_parity.CONVENTIONS]
    found: dict[Case, float] = {}
    for cases in (table, table[::-1]):
        for case in cases:
            try:
                found[case] = torch_parity.compare(case)
            except NoPeerError:
                continue
            break
    return list(found.items())


@pytest.mark.parametrize("op_type", sorted({case.op_type for case in CASES} & set(PEERS)))
def test_gradient_equals_that_of_pytorch(op_type: str) -> None:
    found = comparable(op_type)
    assert found or op_type == "Selu"
    for case, worst in found:
        assert worst <= torch_parity.TOLERANCE[case.dtype], str(case)


def test_every_operator_has_a_peer_or_a_reason() -> None:
    assert {case.op_type for case in CASES} - set(PEERS) == set(NOT_IN_TORCH)
    assert set(torch_parity.CONVENTIONS) <= {str(case) for case in CASES}


@pytest.mark.parametrize("name", sorted(torch_parity.CONVENTIONS))
def test_case_on_the_list_of_conventions_does_differ(name: str) -> None:
    (case,) = (case for case in CASES if str(case) == name)
    assert torch_parity.compare(case) > torch_parity.TOLERANCE[case.dtype]


def test_wrong_gradient_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "Sin", lambda a, x: 1.001 * x.sin())
    (case,) = (case for case in CASES if str(case) == "Sin")
    rows = torch_parity.survey([case])
    assert rows["Sin"].failed == ["Sin"]
    assert torch_parity.main(["Sin"]) == 1


def test_table_counts_operators_cases_and_what_is_missing() -> None:
    cases = [case for case in CASES if case.op_type in ("Exp", "RoiAlign")]
    rows = torch_parity.survey(cases)
    assert (rows["Exp"].compared, rows["RoiAlign"].compared) == (1, 0)
    assert list(torch_parity.table(rows).columns[4].cells)[1] == "in torchvision only"
