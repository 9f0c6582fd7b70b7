"""Random graphs are differentiated correctly and run alike at every optimisation level.

`RANDOM_GRAPHS=2000 pytest tests/autodiff/test_random_graphs.py` checks more graphs than the usual
slice; `tools/checks/random_graphs.py` prints what it drew.
"""

from __future__ import annotations

import logging
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from seqonnx.autodiff import registry
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.random_check import Reference, check, smooth_point
from support.autodiff.random_graphs import LARGEST, SMALLEST, Drawn, draw, left_out
from support.autodiff.random_values import TEMPLATES

TOOL = Path(__file__).resolve().parents[2] / "tools" / "checks" / "random_graphs.py"
GRAPHS = int(os.environ.get("RANDOM_GRAPHS", "24"))
CHUNK = 8


@pytest.fixture(autouse=True)
def _quiet():
    """Evaluators log what they do not infer."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, GRAPHS, CHUNK))
def test_a_random_graph_has_the_right_gradient_at_every_level(first: int) -> None:
    for seed in range(first, min(first + CHUNK, GRAPHS)):
        drawn = draw(seed)
        again = f"python tools/checks/random_graphs.py --seed {seed} --graphs 1"
        assert SMALLEST <= len(drawn.operators) <= LARGEST, again
        failures = check(drawn).failures
        assert len(failures) == 0, f"{again}\n" + "\n".join(failures)


def test_a_seed_always_draws_the_same_graph() -> None:
    one, two, other = (draw(seed).model.SerializeToString(deterministic=True) for seed in (4, 4, 5))
    assert one == two
    assert one != other


def test_every_operator_with_a_rule_is_drawn_or_left_out_for_a_reason() -> None:
    assert all(left_out().values()), left_out()
    assert len(left_out()) <= 0.1 * len(TEMPLATES)


def test_every_template_draws_its_operator() -> None:
    for op_type in TEMPLATES:
        assert op_type in draw(1, only=(op_type, "Add")).operators, op_type


def test_a_wrong_rule_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = draw(0, only=("Sin", "Mul"))
    right = registry._rules["", "Sin"]
    wrong = lambda op, node, dy: op.Mul(right(op, node, dy), 1.0001)  # noqa: E731
    monkeypatch.setitem(registry._rules, ("", "Sin"), wrong)
    assert "derivative" in check(drawn, runtime=False).failures[0]


def test_inputs_next_to_a_kink_are_drawn_again() -> None:
    op = Emitter()
    x = op.input("x", "float64", [2])
    op.output(op.Relu(x), "y")
    drawn = Drawn(0, to_proto(op.graph), {"x": np.array([1.0, 1e-6])}, {}, ("Relu",), 0)
    point = smooth_point(drawn, Reference(drawn.model), np.random.default_rng(0))
    assert point is not None
    assert point.redrawn == 1


def test_the_tool_counts_what_it_checked_and_keeps_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    arguments = ["--seed", "7", "--graphs", "2", "--save", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
    assert runpy.run_path(str(TOOL))["main"]() == 0
    printed = capsys.readouterr().out
    assert "failures" in printed
    assert str(sum(len(draw(seed).operators) for seed in (7, 8))) in printed
    kinds = ("gradient", "graph")
    names = [f"{kind}_{seed}.onnx" for kind in kinds for seed in (7, 8)]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    onnx.checker.check_model(onnx.load(tmp_path / "gradient_7.onnx"))
