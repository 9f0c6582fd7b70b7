"""Derivatives of a case: what the gradient graph says, and what central differences say.

A case's numbers often sit where a function has no derivative (ties, zeros, pixel borders), so its
floats are moved a little first. Differences with two steps alone decide whether a point is smooth.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.conformance.evaluators import EVALUATORS

Arrays = list[np.ndarray]
SHIFTS = (1e-2, 3e-2, 3e-3, 1e-3, 1e-1, 2e-1, 3e-1)


class NoDerivative(Exception):
    """No smooth point was found near the case's numbers."""


@dataclass(frozen=True)
class Precision:
    """How a case is differentiated by differences.

    Args:
        steps: steps of the inner difference, of which the one that agrees best counts; the outer
            difference takes twice that.
        smooth: difference of these two, and of differences with other steps, relative to the
            derivative, that a smooth point may show.
        tolerance: relative error that the gradient may have.
    """

    steps: tuple[float, ...]
    smooth: float
    tolerance: float


DOUBLE = Precision((1e-5,), 1e-6, 1e-6)
SINGLE = Precision((1e-1, 3e-2, 1e-2), 1e-2, 1e-4)


class Function:
    """A graph as a function of its moving inputs, with a weighted sum of its outputs as loss.

    Args:
        graph: graph in the pinned operator set; a gradient is appended to it.
        feeds: the case's numbers by input name.
        moving: names of the inputs that are moved and differentiated.
        targets: names of the outputs that count.
        seed: text that fixes the random numbers.
    """

    def __init__(
        self,
        graph: ir.Graph,
        feeds: dict[str, np.ndarray],
        moving: Sequence[str],
        targets: Sequence[str],
        seed: str,
    ) -> None:
        self.graph, self.feeds, self.moving, self.targets = graph, feeds, moving, targets
        self.rng = np.random.default_rng(zlib.crc32(seed.encode()))
        self._evaluator = ReferenceEvaluator(to_proto(graph), new_ops=EVALUATORS)

    def __call__(self, feeds: dict[str, np.ndarray]) -> Arrays:
        """The outputs that count."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [np.asarray(y) for y in self._evaluator.run(list(self.targets), feeds)]

    def direction(self, name: str) -> np.ndarray:
        """A random direction, with zeros where an input is not finite."""
        array = self.feeds[name]
        drawn = self.rng.normal(size=array.shape).astype(array.dtype)
        return np.where(np.isfinite(array), drawn, 0).astype(array.dtype)

    def moved(self, size: float) -> dict[str, np.ndarray]:
        """The feeds, with the moving inputs shifted by about `size`."""
        feeds = dict(self.feeds)
        with np.errstate(all="ignore"):
            for name in self.moving:
                shift = size * np.clip(self.direction(name), -2, 2)
                feeds[name] = np.where(
                    np.isfinite(feeds[name]), feeds[name] + shift, feeds[name]
                ).astype(feeds[name].dtype)
        return feeds

    def gradients(self, feeds: dict[str, np.ndarray], weights: Arrays) -> Arrays:
        """The gradients of the loss by the gradient graph."""
        values = {str(value.name): value for value in [*self.graph.inputs, *self.graph.outputs]}
        op = Emitter(self.graph)
        pairs = [
            (values[name], op.input(f"weight/{i}", w.dtype.name, list(w.shape)))
            for i, (name, w) in enumerate(zip(self.targets, weights, strict=True))
        ]
        found = backward(op, pairs, [values[name] for name in self.moving])
        names = [
            None if grad is None else str(op.output(grad, f"derivative/{i}").name)
            for i, grad in enumerate(found)
        ]
        feeds = feeds | {f"weight/{i}": w for i, w in enumerate(weights)}
        evaluator = ReferenceEvaluator(to_proto(self.graph), new_ops=EVALUATORS)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            made = iter(evaluator.run([name for name in names if name is not None], feeds))
        return [
            np.zeros_like(self.feeds[name]) if grad is None else np.asarray(next(made))
            for name, grad in zip(self.moving, names, strict=True)
        ]


@dataclass(frozen=True)
class Derivative:
    """A derivative along a direction of one input.

    Args:
        name: the input.
        direction: the direction.
        value: the derivative by differences.
        floor: size of a derivative below which it counts as zero.
    """

    name: str
    direction: np.ndarray
    value: float
    floor: float

    def error(self, gradient: np.ndarray) -> float:
        """Relative error of a gradient, by the derivative or what the gradient's size leads to."""
        said = float((gradient * self.direction).sum(dtype=np.float64))
        norms = np.linalg.norm(gradient) * np.linalg.norm(self.direction)
        usual = float(norms) / max(1.0, np.sqrt(self.direction.size))
        error = abs(said - self.value) / max(abs(self.value), usual, self.floor)
        return float("inf") if np.isnan(error) else error


def weights_of(outputs: Arrays, rng: np.random.Generator) -> Arrays:
    """Random weights of the outputs' elements; none for those that are not finite."""
    return [np.where(np.isfinite(y), rng.normal(size=y.shape), 0).astype(y.dtype) for y in outputs]


def derivative_along(
    function: Function, feeds: dict[str, np.ndarray], weights: Arrays, name: str, how: Precision
) -> Derivative | None:
    """The derivative along a random direction of one input, or None where there is a kink."""
    direction = function.direction(name)

    def loss(step: float) -> np.ndarray:
        moved = feeds | {name: (feeds[name] + step * direction).astype(direction.dtype)}
        terms = zip(weights, function(moved), strict=True)
        with np.errstate(all="ignore"):
            return np.array([np.where(w != 0, w * y, 0).sum(dtype=np.float64) for w, y in terms])

    floor = 1e-3 * float(np.abs(loss(0.0)).max(initial=0)) + 1e-12
    found = []
    for step in how.steps:
        near = float((loss(step) - loss(-step)).sum()) / (2 * step)
        far = float((loss(2 * step) - loss(-2 * step)).sum()) / (4 * step)
        found.append((abs(near - far), near, far))
    apart, near, far = min(found)
    spread = max(n for _, n, _ in found) - min(n for _, n, _ in found)
    if not max(apart, spread) <= how.smooth * max(abs(near), floor):
        return None
    return Derivative(name, direction, (4 * near - far) / 3, floor)


def smooth_point(
    function: Function, how: Precision
) -> tuple[dict[str, np.ndarray], Arrays, list[Derivative]]:
    """A point near the case's numbers where all derivatives are defined, and the derivatives.

    Raises:
        NoDerivative: if none was found.
    """
    finite = [np.isfinite(y) for y in function(function.feeds)]
    for size in SHIFTS:
        feeds = function.moved(size)
        outputs = function(feeds)
        if any(
            y.shape != f.shape or not np.all(np.isfinite(y) | ~f)
            for y, f in zip(outputs, finite, strict=True)
        ):
            continue
        weights = weights_of(outputs, function.rng)
        derivatives = [
            derivative_along(function, feeds, weights, name, how) for name in function.moving
        ]
        if all(derivative is not None for derivative in derivatives):
            return (
                feeds,
                weights,
                [derivative for derivative in derivatives if derivative is not None],
            )
    raise NoDerivative("differences with two steps disagree at every point tried")
