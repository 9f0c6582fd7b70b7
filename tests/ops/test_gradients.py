"""The gradient of each function agrees with differences in float64, on the standard's evaluator."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, Trace, TracedTensor
from seqonnx.graph.serde import to_proto
from seqonnx.graph.tracing import tracing
from support.autodiff.gradient_check import runner
from support.ops import CASES, arrays_of, call, flat

RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("keras_values.json").read_text("utf-8")
)
GROUP = 40
STEP = 1e-5
DIRECTIONS = 1

FLAT = {
    *("sign", "floor", "ceil", "trunc", "round", "floor_divide", "heaviside", "imag"),
    *("stop_gradient", "zeros_like", "ones_like", "full_like", "histogram"),
}
"""Functions that are constant wherever they are smooth, or whose gradient is stopped."""
BETWEEN = {"quantile", "nanquantile", "percentile", "nanpercentile"}
"""Functions one of whose arguments chooses places: at that one the gradient is not checked."""


def is_checked(case: Any) -> bool:
    """Whether a case has an argument, and a result, of floating-point numbers."""
    floats = any(array.dtype == np.float32 for array in arrays_of(case))
    gives_floats = '"dtype": "float' in json.dumps(RECORDED[case.id]["result"])
    mine = case.number == {"prod": 1}.get(case.name, 0)  # of all at once the product is too large
    return floats and gives_floats and mine and case.name not in FLAT


CHECKED = [case for case in CASES if is_checked(case)]


def smooth(array: np.ndarray, number: int) -> np.ndarray:
    """An array in float64, moved a little away from kinks, ties and infinity."""
    if array.dtype != np.float32:
        return array
    moved = 1 + 0.013 * np.sin(1.7 * np.arange(array.size) + 0.9 + number).reshape(array.shape)
    finite = np.where(np.isinf(array), 3.0, array.astype(np.float64))
    finite[finite == 0] = 0.25
    return finite * moved


class Group:
    """The losses and gradients of some cases, in one graph."""

    def __init__(self, cases: list[Any]) -> None:
        self.cases, self.errors = cases, {}
        op = Emitter()
        self.arrays = {
            case.id: [smooth(array, i) for i, array in enumerate(arrays_of(case))] for case in cases
        }
        losses = {}
        values = {
            case.id: [
                op.input(f"{case.id}.{i}", array.dtype.name, array.shape)
                for i, array in enumerate(self.arrays[case.id])
            ]
            for case in cases
        }
        for case in cases:
            try:
                losses[case.id] = self.loss(op, case, values[case.id])
            except Exception as error:
                self.errors[case.id] = error
        for case in cases:
            if losses.get(case.id) is None:
                continue
            try:
                wrt = [
                    v for v in values[case.id] if v.dtype is not None and "DOUBLE" in str(v.dtype)
                ]
                seed = op.constant(np.array(1.0))
                found = backward(op, [(losses[case.id], seed)], wrt)
                for value, gradient in zip(wrt, found, strict=True):
                    if gradient is not None:
                        op.output(gradient, f"grad/{value.name}")
                op.output(losses[case.id], f"loss/{case.id}")
            except Exception as error:
                self.errors[case.id] = error
        self.names = [value.name for value in op.graph.outputs]
        self.model = runner(to_proto(op.graph), reference=True)

    def run(self, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs by name; the branch of a choice that is not taken may divide by zero."""
        with np.errstate(all="ignore"):
            return self.model(names, feeds)

    def loss(self, op: Any, case: Any, values: list[Any]) -> Any:
        """The sum of all results that are floating-point numbers, each with its own weight."""
        trace = Trace(op, training=False)
        with tracing(trace):
            results = flat(trace.values(call(case, [TracedTensor(value) for value in values])))
        total = None
        for i, result in enumerate(results):
            if isinstance(result, int) or "DOUBLE" not in str(result.dtype):
                continue
            flattened = op.Reshape(result, [-1])
            flattened = op.Where(op.IsNaN(flattened), 0.0, flattened)
            places = op.Range(np.array(0), op.Size(flattened), np.array(1))
            weights = op.Cos(op.cast(op.Add(op.Mul(places, 3), i), "float64"))
            part = op.ReduceSum(op.Mul(flattened, weights), keepdims=0)
            total = part if total is None else op.Add(total, part)
        return total

    def feeds(self, moves: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The inputs, moved."""
        return {
            f"{case_id}.{i}": array + (0 if moves is None else moves.get(f"{case_id}.{i}", 0))
            for case_id, arrays in self.arrays.items()
            for i, array in enumerate(arrays)
        }


@cache
def outcomes(number: int) -> dict[str, Any]:
    """For each case an error, or pairs of derivatives along directions."""
    return _outcomes(CHECKED[number * GROUP : (number + 1) * GROUP])


def _outcomes(cases: list[Any]) -> dict[str, Any]:
    try:
        group = Group(cases)
        got = dict(zip(group.names, group.run(group.names, group.feeds()), strict=True))
    except Exception as error:
        if len(cases) == 1:
            return {cases[0].id: error}
        return {key: value for case in cases for key, value in _outcomes([case]).items()}
    rng = np.random.default_rng(7)
    found: dict[str, Any] = dict(group.errors)
    losses = [name for name in group.names if name.startswith("loss/")]
    for _ in range(DIRECTIONS):
        moves = {
            name.removeprefix("grad/"): rng.normal(size=array.shape)
            for name, array in got.items()
            if name.startswith("grad/")
        }
        up, down = (
            dict(
                zip(
                    losses,
                    group.run(losses, group.feeds({k: v * step for k, v in moves.items()})),
                    strict=True,
                )
            )
            for step in (STEP, -STEP)
        )
        for case in cases:
            key = f"loss/{case.id}"
            if key not in up:
                continue
            mine = [name for name in moves if name.rpartition(".")[0] == case.id]
            analytic = sum(float((got[f"grad/{name}"] * moves[name]).sum()) for name in mine)
            numeric = float(up[key] - down[key]) / (2 * STEP)
            found.setdefault(case.id, []).append((analytic, numeric, len(mine)))
    return found


@pytest.mark.parametrize("index", range(len(CHECKED)), ids=[case.id for case in CHECKED])
def test_gradient_agrees_with_differences(index):
    case = CHECKED[index]
    outcome = outcomes(index // GROUP).get(case.id)
    if isinstance(outcome, Exception):
        raise outcome
    for analytic, numeric, count in outcome:
        assert count > 0, "no gradient arrives"
        tolerance = 2e-2 if case.name == "erfinv" else 2e-5  # a series in float32
        assert abs(analytic - numeric) <= tolerance * max(1.0, abs(numeric))
