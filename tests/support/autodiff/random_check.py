"""The checks of a random graph: its gradient along a direction, and every level of ORT.

A function has no derivative at a kink, and central differences are wrong next to one. Two step
sizes that disagree show it from forward values alone; the inputs are then drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes
import onnxruntime
from onnx.reference import ReferenceEvaluator

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.importers.onnx.importing import import_graph
from support.autodiff.random_definitions import DEFINITIONS
from support.autodiff.random_graphs import Drawn

STEP = 2e-5
SMOOTH = 1e-6
"""Two step sizes agree to this, relative to the largest change, where there is no kink."""
DERIVATIVE = 1e-7
"""Gradient and central difference agree to this, relative to the sum of all changes."""
LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
SAME = 1e-5
"""Tolerance for optimisation: it reorders sums, whose rounding errors of 6e-8 grow on the way."""
CLOSE = 5e-4
"""How far float32 may be from float64: the same errors, up to the worst conditioned operator."""
TRIES = 20
ABSENT = {
    "GlobalLpPool": "ONNX Runtime 1.31 has no GlobalLpPool of operator set 22",
    "RoiAlign": "ONNX Runtime 1.31 has no RoiAlign of operator set 22",
}
"""Operators whose graphs ONNX Runtime does not load; only the float64 check is made."""
Arrays = dict[str, np.ndarray]


@dataclass
class Outcome:
    """The findings of the checks of one graph.

    Args:
        redrawn: how many inputs lay next to a kink.
        derivative: error of the derivative along a direction.
        levels: largest difference between optimisation levels.
        single: largest difference between float32 and float64.
        failures: what is wrong, in words.
        known: reasons why ONNX Runtime does not run the graph.
    """

    redrawn: int = 0
    derivative: float = 0.0
    levels: float = 0.0
    single: float = 0.0
    failures: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Point:
    """Inputs and cotangents at which the function is smooth, and how it changes there."""

    floats: Arrays
    cotangents: Arrays
    direction: Arrays
    derivative: float
    scale: float
    redrawn: int


class Reference:
    """A model on the standard's evaluator, mended."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.names = [output.name for output in model.graph.output]
        self._evaluator = ReferenceEvaluator(named(model), new_ops=DEFINITIONS)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> Arrays:
        """Run; returns every output by name."""
        with np.errstate(all="ignore"):
            return dict(zip(self.names, self._evaluator.run(None, dict(feeds)), strict=True))


def differentiate(
    graph: ir.Graph, cotangents: Mapping[str, np.ndarray], wrt: Sequence[str]
) -> onnx.ModelProto:
    """The graph with the gradients of `wrt` as further outputs `grad/NAME`, taken from inputs."""
    op = Emitter(graph)
    values = {str(value.name): value for value in graph.inputs}
    pairs = [
        (
            value,
            op.input(f"dy/{value.name}", str(value.dtype.numpy()), cotangents[value.name].shape),
        )
        for value in graph.outputs
        if value.name in cotangents
    ]
    found = backward(op, pairs, [values[name] for name in wrt])
    for name, gradient in zip(wrt, found, strict=True):
        if gradient is not None:
            op.output(gradient, f"grad/{name}")
    common_passes.RemoveUnusedNodesPass()(ir.Model(graph, ir_version=1))
    return to_proto(graph)


def cotangents_of(values: Arrays, rng: np.random.Generator) -> Arrays:
    """A random gradient for each output."""
    return {name: rng.normal(size=np.shape(value)) for name, value in values.items()}


def smooth_point(drawn: Drawn, forward: Reference, rng: np.random.Generator) -> Point | None:
    """Inputs next to which there is no kink; None if none was found."""
    floats = drawn.floats
    cotangents = cotangents_of(forward(drawn.feeds), rng)
    for redrawn in range(TRIES):
        direction = {name: rng.normal(size=x.shape) for name, x in floats.items()}
        far, near = (changes(drawn, forward, floats, direction, h) for h in (STEP, STEP / 2))
        scale = float(sum(np.abs(cotangents[n] * near[n]).sum() for n in near))
        largest = max(float(np.abs(change).max(initial=0.0)) for change in near.values())
        gap = max(float(np.abs(far[n] - near[n]).max(initial=0.0)) for n in near)
        if gap <= SMOOTH * max(largest, 1e-3):
            best = {n: (4 * near[n] - far[n]) / 3 for n in near}
            derivative = float(sum((cotangents[n] * best[n]).sum() for n in best))
            return Point(floats, cotangents, direction, derivative, max(scale, 1e-3), redrawn)
        floats = {name: x + 0.2 * rng.normal(size=x.shape) for name, x in drawn.floats.items()}
    return None


def changes(
    drawn: Drawn, forward: Reference, floats: Arrays, direction: Arrays, step: float
) -> Arrays:
    """Central difference of every output."""
    ahead, behind = (
        forward({**{n: x + s * direction[n] for n, x in floats.items()}, **drawn.others})
        for s in (step, -step)
    )
    return {name: (ahead[name] - behind[name]) / (2 * step) for name in ahead}


def check(drawn: Drawn, seed: int = 0, runtime: bool = True) -> Outcome:
    """Differentiate a graph, compare with central differences, and run it on ONNX Runtime."""
    rng = np.random.default_rng([drawn.seed, seed])
    outcome = Outcome()
    point = smooth_point(drawn, Reference(drawn.model), rng)
    if point is None:
        outcome.failures.append("no smooth point found")
        return outcome
    outcome.redrawn = point.redrawn
    wrt = list(point.floats)
    feeds = {**point.floats, **drawn.others}
    feeds |= {f"dy/{name}": dy for name, dy in point.cotangents.items()}
    model = differentiate(ir.from_proto(drawn.model).graph, point.cotangents, wrt)
    wanted = Reference(model)(feeds)
    derivative = sum(
        float((wanted[f"grad/{n}"] * d).sum())
        for n, d in point.direction.items()
        if f"grad/{n}" in wanted
    )
    outcome.derivative = abs(derivative - point.derivative) / point.scale
    if not outcome.derivative <= DERIVATIVE:
        outcome.failures.append(
            f"derivative {point.derivative:.9g}, by the gradient {derivative:.9g}"
        )
    for name, x in point.floats.items():
        if f"grad/{name}" in wanted and wanted[f"grad/{name}"].shape != x.shape:
            outcome.failures.append(f"gradient of {name} has another shape")
    outcome.known = [reason for kind, reason in ABSENT.items() if kind in drawn.operators]
    if runtime and len(outcome.known) == 0:
        check_levels(drawn, point, feeds, wanted, outcome)
    return outcome


def check_levels(
    drawn: Drawn, point: Point, feeds: Arrays, wanted: Arrays, outcome: Outcome
) -> None:
    """The float32 graph at each optimisation level."""
    model = differentiate(
        import_graph(single_precision(drawn.model)), point.cotangents, list(point.floats)
    )
    singles = {
        n: np.asarray(a, np.float32 if a.dtype == np.float64 else a.dtype) for n, a in feeds.items()
    }
    names = [output.name for output in model.graph.output]
    results: list[Arrays] = []
    for level in LEVELS:
        try:
            results.append(run_level(model, names, singles, level))
        except Exception as error:  # any refusal of the runtime is a finding
            outcome.failures.append(f"{level}: {error}")
            return
    largest = max(float(np.abs(a).max(initial=0.0)) for a in wanted.values())
    for name in names:
        scale = max(float(np.abs(wanted[name]).max(initial=0.0)), 1e-2 * largest, 1e-2)
        for level, result in zip(LEVELS, results, strict=True):
            gap = distance(result[name], results[0][name], scale)
            error = distance(result[name], wanted[name], scale)
            outcome.levels, outcome.single = max(outcome.levels, gap), max(outcome.single, error)
            if not gap <= SAME:
                outcome.failures.append(f"{level}: {name} differs by {gap:.1e} from {LEVELS[0]}")
            elif not error <= CLOSE:
                outcome.failures.append(f"{level}: {name} differs by {error:.1e} from float64")


def distance(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Largest difference relative to `scale`; infinite if there is a NaN or another shape."""
    if np.shape(a) != np.shape(b) or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max(initial=0.0)) / scale


def run_level(model: Any, names: Sequence[str], feeds: Arrays, level: str) -> Arrays:
    """Run on ONNX Runtime's CPU provider at one optimisation level."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    used = {node.name for node in session.get_inputs()}
    # Copies, because BatchNormalization in training writes into the arrays that are fed.
    copies = {name: array.copy() for name, array in feeds.items() if name in used}
    made = session.run(list(names), copies)
    return dict(zip(names, made, strict=True))


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that names every output: the evaluator reads unnamed ones as absent inputs."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for i, node in enumerate(node for graph in graphs_of(made) for node in graph.node):
        for j, name in enumerate(node.output):
            node.output[j] = name or f"unused/{i}/{j}"
    return made


def graphs_of(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """The graph and all bodies."""
    found = [model.graph]
    for graph in found:
        found.extend(
            attribute.g
            for node in graph.node
            for attribute in node.attribute
            if attribute.type == onnx.AttributeProto.GRAPH
        )
    return found


def single_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with float32 in place of float64."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for graph in graphs_of(made):
        for value in [*graph.input, *graph.output, *graph.value_info]:
            tensor_type = value.type.tensor_type
            if tensor_type.elem_type == onnx.TensorProto.DOUBLE:
                tensor_type.elem_type = onnx.TensorProto.FLOAT
        for tensor in graph.initializer:
            _halve(tensor)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    _halve(attribute.t)
                elif node.op_type == "Cast" and attribute.i == onnx.TensorProto.DOUBLE:
                    attribute.i = onnx.TensorProto.FLOAT
    return made


def _halve(tensor: onnx.TensorProto) -> None:
    """A float64 tensor becomes a float32 one."""
    if tensor.data_type == onnx.TensorProto.DOUBLE:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
