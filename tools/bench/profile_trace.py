"""Records of ONNX Runtime's profiler: which nodes ran, how long, on which shapes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seqonnx.graph.reading import is_gradient, layer_of
from seqonnx.runtime import emitted_name

FORWARD, GRADIENT, OPTIMIZER = "forward", "gradient", "optimizer"
MEASURES, ADDED = "loss and metrics", "added by ONNX Runtime"
PARTS = (FORWARD, GRADIENT, OPTIMIZER, MEASURES, ADDED)
"""The parts of a step, in the order of the tables."""

_SCOPES = {"optimizer": OPTIMIZER, "loss_scale": OPTIMIZER, "loss": MEASURES, "metrics": MEASURES}
_WITH_BODY = frozenset({"Scan", "Loop", "If"})
_CONVOLUTIONS = frozenset({"Conv", "FusedConv"})
_MATRIX_PRODUCTS = frozenset({"Gemm", "FusedGemm", "MatMul", "FusedMatMul"})
_SUFFIX = "_kernel_time"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Execution:
    """One execution of one node.

    Attributes:
        node: its name in the graph, or the one that ONNX Runtime gave it.
        op: the operator that ran, which may be a fused one.
        inputs: shapes of the inputs.
        outputs: shapes of the outputs.
        microseconds: how long it took, without the nodes of its body.
    """

    node: str
    op: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    microseconds: int

    @property
    def part(self) -> str:
        """The part of the step that it belongs to."""
        if is_gradient(self.node):
            return GRADIENT
        scope, slash, _ = self.node.partition("/")
        return _SCOPES.get(scope, FORWARD) if slash else ADDED


@dataclass(frozen=True)
class Run:
    """One run of the graph."""

    microseconds: int
    executions: tuple[Execution, ...]

    @property
    def between(self) -> int:
        """Microseconds outside all nodes: ONNX Runtime's own work, and the profiler's."""
        return self.microseconds - sum(one.microseconds for one in self.executions)


@dataclass(frozen=True)
class Group:
    """Executions that have something in common.

    Attributes:
        key: what they have in common.
        executions: at least one.
    """

    key: tuple[str, ...]
    executions: tuple[Execution, ...]

    @cached_property
    def microseconds(self) -> int:
        """How long all of them took."""
        return sum(one.microseconds for one in self.executions)

    @cached_property
    def nodes(self) -> int:
        """Nodes of the graph among them; one in a body may be executed many times."""
        return len({one.node for one in self.executions})

    @property
    def calls(self) -> int:
        """How many executions."""
        return len(self.executions)

    @cached_property
    def operations(self) -> int:
        """Floating-point operations of all of them."""
        return sum(operations(one) or 0 for one in self.executions)

    @property
    def gflops(self) -> float:
        """Thousand million operations per second."""
        return self.operations / max(self.microseconds, 1) / 1e3


def read_runs(trace: Path) -> list[Run]:
    """Read the runs of a graph from a trace of ONNX Runtime.

    Args:
        trace: a file in Chrome's trace format, of one session on the CPU.

    Returns:
        The runs, in order.
    """
    events = json.loads(trace.read_text(encoding="utf-8"))
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith(_SUFFIX)]
    runs = []
    for whole in (e for e in events if e["name"] == "model_run"):
        start, end = whole["ts"], whole["ts"] + whole["dur"]
        inside = [event for event in nodes if start <= event["ts"] < end]
        runs.append(Run(whole["dur"], tuple(_executions(inside))))
    return runs


def median_run(runs: Sequence[Run]) -> Run:
    """The run whose time is the median; of an even number the upper one."""
    return sorted(runs, key=lambda run: run.microseconds)[len(runs) // 2]


def typical_run(runs: Sequence[Run]) -> Run:
    """A run made up of the median of each execution, and of what was between them.

    Where other programs take the processor now and then, every run has some nodes that were
    interrupted, each time others.

    Raises:
        ValueError: if the runs did not execute the same nodes in the same order.
    """
    executions = []
    for same in zip(*(run.executions for run in runs), strict=True):
        if len({one.node for one in same}) > 1:
            raise ValueError(f"The runs differ in their nodes: {[one.node for one in same]}")
        middle = sorted(same, key=lambda one: one.microseconds)[len(same) // 2]
        executions.append(middle)
    between = sorted(run.between for run in runs)[len(runs) // 2]
    whole = between + sum(one.microseconds for one in executions)
    return Run(whole, tuple(executions))


def grouped(
    executions: Iterable[Execution], key: Callable[[Execution], tuple[str, ...]]
) -> list[Group]:
    """Group executions by a key, the longest first."""
    found: dict[tuple[str, ...], list[Execution]] = {}
    for one in executions:
        found.setdefault(key(one), []).append(one)
    groups = [Group(name, tuple(members)) for name, members in found.items()]
    return sorted(groups, key=lambda group: -group.microseconds)


def layer_name(node: str, layers: Collection[str]) -> str:
    """Name the layer that a node belongs to.

    Args:
        node: name of the node.
        layers: names of the layers that hold no other layer.

    Returns:
        The innermost of these layers in the node's scope; the whole scope where there is none.
    """
    scope = layer_of(node)
    known = [name for name in scope.split("/") if name in layers]
    return known[-1] if known else scope


def operations(execution: Execution) -> int | None:
    """Count the floating-point operations of a product, a multiplication and an addition as two.

    Of a ConvTranspose what its padding cuts off is counted, too: it is computed.

    Returns:
        The number, or None for an operator that is neither a convolution nor a matrix product.
    """
    if execution.op in _CONVOLUTIONS:
        return 2 * math.prod(execution.outputs[0]) * math.prod(execution.inputs[1][1:])
    if execution.op == "ConvTranspose":
        return 2 * math.prod(execution.inputs[0]) * math.prod(execution.inputs[1][1:])
    if execution.op in _MATRIX_PRODUCTS:
        return 2 * math.prod(execution.outputs[0]) * _summed(execution)
    return None


def factors(execution: Execution) -> tuple[Shape, Shape]:
    """Return the shapes of the two factors of a product (see `operations`).

    The trace has no shape for a constant matrix that ONNX Runtime has packed for its kernel; then
    it is told from the others.
    """
    left, *others = execution.inputs
    if execution.op not in _MATRIX_PRODUCTS:
        return left, others[0]
    matrix = (_summed(execution), execution.outputs[0][-1])
    fits = len(others) > 0 and math.prod(others[0][-2:]) == math.prod(matrix)
    return left, others[0] if fits or len(execution.outputs[0]) < len(left) else matrix


def _summed(execution: Execution) -> int:
    """Length of the axis that a matrix product sums over, also where a factor is transposed."""
    left, product = execution.inputs[0], execution.outputs[0]
    if len(product) < max(len(left), 2):  # a factor is a vector
        return left[-1]
    return math.prod(left[-2:]) // max(product[-2], 1)


def _executions(events: Sequence[dict[str, Any]]) -> list[Execution]:
    """Executions in order of their start, bodies taken out of the time of what holds them."""
    ordered = sorted(events, key=lambda event: (event["ts"], -event["dur"]))
    own = [int(event["dur"]) for event in ordered]
    holding: list[int] = []
    for index, event in enumerate(ordered):
        while holding and event["ts"] >= _end(ordered[holding[-1]]):
            holding.pop()
        if holding:
            own[holding[-1]] -= event["dur"]
        if event["args"]["op_name"] in _WITH_BODY:
            holding.append(index)
    return [
        Execution(
            emitted_name(event["name"].removesuffix(_SUFFIX)),
            event["args"]["op_name"],
            _shapes(event["args"].get("input_type_shape", ())),
            _shapes(event["args"].get("output_type_shape", ())),
            time,
        )
        for event, time in zip(ordered, own, strict=True)
    ]


def _end(event: dict[str, Any]) -> int:
    return int(event["ts"] + event["dur"])


def _shapes(typed: Iterable[dict[str, list[int]]]) -> tuple[Shape, ...]:
    """Shapes of values, each given as a dict from its type to its shape."""
    return tuple(tuple(shape) for one in typed for shape in one.values())
