"""Gradients of gradients: two cases of every rule (all with `-m slow`), higher orders for some.

With g = gradient of <dy, y> and a random v, the derivative of <g, v> by the inputs and by dy is
compared with central differences of <g, v>. Where a function is linear in its inputs, or linear
piece by piece, the derivative by the inputs must be exactly zero, and only there: the lists below
are complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_cases import CASES
from support.autodiff.gradient_check import Case, cast, cotangents_of, emit, runner
from support.autodiff.gradient_inputs import ints

STEP_AND_TOLERANCE = {"float64": (1e-6, 2e-6), "float32": (1e-2, 1e-3)}

LINEAR = {
    *("Identity", "Neg", "Add", "Sub", "Sum", "Mean", "ReduceSum", "ReduceMean", "CumSum"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Cast", "CastLike"),
    *("Where", "Concat", "Split", "Tile", "Trilu", "ReverseSequence", "SpaceToDepth"),
    *("DepthToSpace", "Slice", "Pad", "Gather", "GatherElements", "GatherND", "OneHot"),
    *("Compress", "MaxUnpool", "AveragePool", "GlobalAveragePool", "Dropout", "DFT", "Col2Im"),
    *("CenterCropPad", "AffineGrid", "Resize", "NegativeLogLikelihoodLoss"),
    *("Pow-to-1.0", "ReduceLogSumExp-noop", "ReduceProd-noop", "Det-one", "STFT-frames"),
    *("BatchNormalization-statistic-1-alone",),
    *("ScatterElements-none", "ScatterElements-add", "ScatterND-none", "ScatterND-add"),
    *(f"Einsum-{e}" for e in ("ij->ji", "ij->j", "...a->...", "ii->i", "ii")),
    *(f"Einsum-{e}" for e in ("bii->b", "...ii->...i")),
}
"""Operators, or single cases of one, that are linear in all inputs together."""

PIECEWISE_LINEAR = {
    *("Abs", "Mod", "Max", "Min", "Clip", "Relu", "LeakyRelu", "ThresholdedRelu", "Shrink"),
    *("HardSigmoid", "ReduceMax", "ReduceMin", "ReduceL1", "TopK", "MaxPool", "GlobalMaxPool"),
    *(
        "MaxRoiPool",
        "LpPool-1",
        "ScatterElements-max",
        "ScatterElements-min",
        "ScatterND-max",
        "ScatterND-min",
    ),
    *(f"GridSample-nearest-{o}-{c}" for o in ("zeros", "border", "reflection") for c in (0, 1)),
}
"""Their derivatives jump at kinks and are constant between: the second derivative is 0."""

ZEROS = [
    Case("ReduceProd", (np.array([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]]), ints(1)), label="zeros"),
    Case("ReduceProd", (np.array([0.0, 2.0, -3.0]),), label="zero"),
]
"""Products with zeros among the factors, where the first order has a formula of its own."""

HIGHER = {
    *("Tanh", "Exp", "Sin", "Log", "Sigmoid", "Gelu", "Softplus", "Reciprocal", "Sqrt", "Pow"),
    *("Softmax-axis-1", "LogSoftmax-axis-1", "MatMul-(3,4)@(4,5)", "LayerNormalization-last"),
    *("Div-row", "ReduceLogSumExp-last", "Einsum-bij,bjk->bik", "Conv-1d", "RNN-plain"),
    *("RMSNormalization", "Attention-plain", "ReduceProd-last", "BatchNormalization-train-vectors"),
}


@dataclass(frozen=True, eq=False)
class Tower:
    """The derivatives of a case up to an order, each of <the one before, a random probe>."""

    case: Case
    order: int

    @cached_property
    def feeds(self) -> dict[str, np.ndarray]:
        """The inputs and the cotangents."""
        cotangents = cotangents_of(self.case, np.random.default_rng(2))
        feeds = {
            f"x{i}": array
            for i, array in enumerate(self.case.inputs)
            if array is not None and i not in self.case.constants
        }
        return feeds | {f"dy{i}": array for i, array in cotangents.items()}

    @cached_property
    def variables(self) -> list[str]:
        """The variables of differentiation: float inputs and cotangents."""
        return [*(f"x{i}" for i in self.case.wanted), *(n for n in self.feeds if n[0] == "d")]

    @cached_property
    def probes(self) -> list[dict[str, np.ndarray]]:
        """For each order but the last a random array for every variable."""
        rng = np.random.default_rng(3)
        return [
            {name: rng.normal(size=self.feeds[name].shape) for name in self.variables}
            for _ in range(self.order - 1)
        ]

    @cached_property
    def run(self) -> Any:
        """From feeds to the two highest derivatives, zeros where nothing depends on a variable."""
        op, dtype = Emitter(), self.case.dtype
        values, outputs = emit(op, self.case, dtype, symbolic=False)
        dys = [n for n in self.feeds if n[0] == "d"]
        seeds = [op.input(name, dtype, self.feeds[name].shape) for name in dys]
        wrt = [*(values[i] for i in self.case.wanted), *seeds]
        targets = [(outputs[int(n[2:])], seed) for n, seed in zip(dys, seeds, strict=True)]
        levels = []
        for order in range(self.order):
            levels.append(backward(op, targets, wrt if order else wrt[: len(self.case.wanted)]))
            if order + 1 < self.order:
                probes = (self.probes[order][name].astype(dtype) for name in self.variables)
                pairs = zip(levels[-1], probes, strict=False)
                targets = [(g, op.constant(probe)) for g, probe in pairs if g is not None]
        names = {
            (level, name): str(op.output(grad, f"level{level}_{name}").name)
            for level in (self.order - 2, self.order - 1)
            for name, grad in zip(self.variables, levels[level], strict=False)
            if grad is not None
        }
        evaluate = runner(to_proto(op.graph), reference=self.case.reference)

        def run(feeds: dict[str, np.ndarray], level: int) -> dict[str, np.ndarray]:
            wanted = {name: made for (at, name), made in names.items() if at == level}
            cast_feeds = {name: cast(array, dtype) for name, array in feeds.items()}
            results = evaluate(list(wanted.values()), cast_feeds) if wanted else []
            return dict(zip(wanted, results, strict=True))

        return run

    @cached_property
    def highest(self) -> dict[str, np.ndarray]:
        """The derivatives of the highest order."""
        return self.run(self.feeds, self.order - 1)

    def check(self) -> None:
        """Compare along one direction in all variables."""
        rng = np.random.default_rng(4)
        directions = {name: rng.normal(size=self.feeds[name].shape) for name in self.variables}
        step, tolerance = STEP_AND_TOLERANCE[self.case.dtype]
        ahead, behind = (
            inner(self.run(self.feeds | moved, self.order - 2), self.probes[-1])
            for moved in (
                {name: self.feeds[name] + signed * d for name, d in directions.items()}
                for signed in (step, -step)
            )
        )
        numeric = (ahead - behind) / (2 * step)
        analytic = inner(self.highest, directions)
        assert abs(analytic - numeric) <= tolerance * max(1.0, abs(numeric)), (analytic, numeric)


def inner(grads: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> float:
    """The inner product, where a gradient that is not there is 0."""
    return sum(float((grad * others[name]).sum()) for name, grad in grads.items())


def has_no_curvature(case: Case) -> bool:
    """Whether a case is on one of the lists."""
    return any(name in LINEAR | PIECEWISE_LINEAR for name in (case.op_type, str(case)))


def of_each_operator(cases: Sequence[Case]) -> Iterator[object]:
    """The cases; from the third of an operator on they are more of the same."""
    seen: Counter[str] = Counter()
    for case in cases:
        operator = str(case).partition("-")[0]
        seen[operator] += 1
        yield pytest.param(case, marks=pytest.mark.slow) if seen[operator] > 2 else case


@pytest.mark.parametrize(
    "case",
    list(of_each_operator([c for c in [*CASES, *ZEROS] if "chunks" not in str(c)])),
    ids=str,
)
def test_second_order_agrees_with_finite_differences(case: Case) -> None:
    tower = Tower(case, 2)
    tower.check()
    by_inputs = [g for name, g in tower.highest.items() if name[0] == "x"]
    assert has_no_curvature(case) == all(not g.any() for g in by_inputs)


def test_every_name_on_the_lists_is_a_case() -> None:
    names = {name for case in CASES for name in (case.op_type, str(case))}
    assert (LINEAR | PIECEWISE_LINEAR | HIGHER) - names == set()
    assert set() == LINEAR & PIECEWISE_LINEAR


@pytest.mark.parametrize("case", [case for case in CASES if str(case) in HIGHER], ids=str)
def test_third_order_agrees_with_finite_differences(case: Case) -> None:
    Tower(case, 3).check()


def test_fourth_order_of_the_exponential_is_the_exponential() -> None:
    op = Emitter()
    x = op.input("x", "float64", [3])
    grad = op.Exp(x)
    for _ in range(4):
        (grad,) = backward(op, [(grad, op.constant(np.ones(3)))], [x])
    name = str(op.output(grad, "grad").name)
    at = np.array([-1.0, 0.0, 2.0])
    (made,) = runner(to_proto(op.graph), reference=True)([name], {"x": at})
    np.testing.assert_allclose(made, np.exp(at), rtol=1e-12)


def second_derivatives(op_type: str, x: list[float], *more: Any) -> list[float]:
    """In float32 on ONNX Runtime, where masks are made by steep operators; None counts as 0."""
    op = Emitter()
    value = op.input("x", "float32", [len(x)])
    y = op.emit(op_type, [value, *more], {})
    (first,) = backward(op, [(y, op.constant(np.ones(static_shape(y), np.float32)))], [value])
    (second,) = backward(op, [(first, op.constant(np.ones(len(x), np.float32)))], [value])
    if second is None:
        return [0.0] * len(x)
    name = str(op.output(second, "second").name)
    run = runner(to_proto(op.graph), reference=False)
    return run([name], {"x": np.array(x, np.float32)})[0].tolist()


@pytest.mark.parametrize(
    ("op_type", "x", "second"),
    [
        ("Abs", [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
        ("Relu", [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
        ("LeakyRelu", [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
        ("HardSigmoid", [-2.5, 0.0, 2.5], [0.0, 0.0, 0.0]),
        ("Sqrt", [0.0, 1.0], [0.0, -0.25]),
        ("ReduceL1", [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
        ("ReduceL2", [0.0, 0.0], [0.0, 0.0]),
        ("ReduceMax", [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_second_order_is_finite_where_there_is_no_derivative(op_type, x, second) -> None:
    assert second_derivatives(op_type, x) == second


@pytest.mark.parametrize(
    ("exponent", "second"),
    [(1.0, [0.0, 0.0]), (2.0, [2.0, 2.0]), (3.0, [0.0, 12.0]), (0.5, [0.0, -0.25 * 2**-1.5])],
)
def test_second_order_of_a_power_at_zero(exponent, second) -> None:
    found = second_derivatives("Pow", [0.0, 2.0], np.float32(exponent))
    np.testing.assert_allclose(found, second, rtol=1e-6)
