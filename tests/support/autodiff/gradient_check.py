"""The check that every gradient rule passes: one node, its gradient, finite differences.

The gradient graph runs in float64 on the standard's reference evaluator and is compared with
central differences of the forward node on the same evaluator (or of a NumPy definition, where the
evaluator is wrong or lacks the operator). Then the float32 graph runs on ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx.reference import ReferenceEvaluator

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.definitions import CORRECTED

STEP = 1e-5
FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)
Arrays = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Case:
    """One node and the inputs at which its gradient is checked.

    Args:
        op_type: operator.
        inputs: float64 arrays, other arrays, or None for an input that is left out.
        attributes: attributes of the node.
        outputs: number of outputs.
        label: what is special, for the test's name.
        constants: indices of inputs that are baked in as constants.
        batch: indices of inputs whose first axis is symbolic in the symbolic run.
        unwanted: indices of float inputs that have no gradient.
        targets: indices of the outputs that the loss depends on; default the float ones.
        tolerance: relative error allowed against finite differences.
        dtype: type of the main run; "float32" runs on ONNX Runtime, with a tolerance of 1e-4,
            where float64 or the reference evaluator will not do (`why` says so).
        forward: NumPy definition, where the reference evaluator's forward pass is not to be
            trusted (`why` says so).
        onnxruntime: whether ONNX Runtime has the operator (`why` if not).
        why: reason for the three above.
    """

    op_type: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    label: str = ""
    constants: tuple[int, ...] = ()
    batch: tuple[int, ...] = (0,)
    unwanted: tuple[int, ...] = ()
    targets: tuple[int, ...] | None = None
    tolerance: float = 1e-6
    dtype: str = "float64"
    forward: Callable[..., Any] | None = None
    onnxruntime: bool = True
    why: str = ""

    def __str__(self) -> str:
        return f"{self.op_type}-{self.label}" if self.label else self.op_type

    @property
    def reference(self) -> bool:
        """Whether the reference evaluator runs the gradient graph."""
        return self.dtype == "float64"

    @property
    def wanted(self) -> list[int]:
        """Indices of the inputs whose gradients are checked."""
        return [
            i
            for i, array in enumerate(self.inputs)
            if array is not None
            and array.dtype == np.float64
            and i not in (*self.constants, *self.unwanted)
        ]


@dataclass
class Built:
    """A node, the gradients of its inputs, and how to run them."""

    model: Any
    feeds: dict[str, np.ndarray]
    gradients: list[str]

    def run(self, *, reference: bool) -> Arrays:
        """Return the gradients."""
        if reference:
            return run_reference(self.model, self.gradients, self.feeds)
        return run_onnxruntime(self.model, self.gradients, self.feeds)


def runner(model: Any, *, reference: bool) -> Callable[[Sequence[str], dict[str, Any]], Arrays]:
    """A model ready to run many times: from names of outputs and feeds to arrays.

    On the standard's evaluator, mended where it is wrong, or on ONNX Runtime's CPU provider, where
    inputs that the model does not use are left out.
    """
    if reference:
        evaluator = ReferenceEvaluator(model, new_ops=CORRECTED)
        return lambda names, feeds: list(evaluator.run(list(names), feeds))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    used = {node.name for node in session.get_inputs()}
    return lambda names, feeds: list(
        session.run(list(names), {k: v for k, v in feeds.items() if k in used})
    )


def run_reference(model: Any, names: Sequence[str], feeds: dict[str, np.ndarray]) -> Arrays:
    """Run a model once on the standard's evaluator, mended where it is wrong."""
    return runner(model, reference=True)(names, feeds)


def run_onnxruntime(model: Any, names: Sequence[str], feeds: dict[str, np.ndarray]) -> Arrays:
    """Run a model once on ONNX Runtime's CPU provider; unused inputs are left out."""
    return runner(model, reference=False)(names, feeds)


def cast(array: np.ndarray, dtype: str) -> np.ndarray:
    """Floats to the type of the run; anything else as it is."""
    return array.astype(dtype) if array.dtype == np.float64 else array


Symbolic = bool | Literal["all"]
"""Which axes have no known size: none, the first of the inputs in `Case.batch`, or all."""

FILTERS = {"Conv": 1, "ConvTranspose": 1, "DeformConv": 1}
"""Inputs that keep their shape when all axes are unknown: the size of a kernel is read there."""


def emit(
    op: Emitter, case: Case, dtype: str, *, symbolic: Symbolic
) -> tuple[list[Any], list[ir.Value]]:
    """Add the node; returns its inputs and outputs."""
    values: list[Any] = []
    for i, array in enumerate(case.inputs):
        if array is None:
            values.append(None)
        elif i in case.constants:
            values.append(op.constant(cast(array, dtype), f"c{i}"))
        else:
            shape: list[Any] = list(array.shape)
            if symbolic == "all" and FILTERS.get(case.op_type) != i:
                shape = [f"x{i}_{axis}" for axis in range(array.ndim)]
            elif symbolic and i in case.batch and shape:
                shape[0] = "batch"
            values.append(op.input(f"x{i}", cast(array, dtype).dtype.name, shape))
    made = op.emit(case.op_type, values, {**case.attributes, "_outputs": case.outputs})
    return values, [made] if case.outputs == 1 else list(made)


def forward_values(case: Case, inputs: Sequence[np.ndarray | None]) -> Arrays:
    """The node's outputs in float64."""
    if case.forward is not None:
        made = case.forward(*inputs)
        return list(made) if isinstance(made, tuple | list) else [made]
    op = Emitter()
    _, outputs = emit(op, case, "float64", symbolic=False)
    names = [op.output(value, f"y{i}").name for i, value in enumerate(outputs)]
    feeds = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in case.constants}
    return run_reference(to_proto(op.graph), names, feeds)


def differentiate(
    case: Case,
    cotangents: dict[int, np.ndarray],
    wanted: Sequence[int],
    dtype: str,
    symbolic: Symbolic,
) -> Built:
    """Build the node and its gradients."""
    op = Emitter()
    values, outputs = emit(op, case, dtype, symbolic=symbolic)
    pairs = []
    for i, array in cotangents.items():
        shape = array.shape if outputs[i].shape is None else static_shape(outputs[i])
        pairs.append((outputs[i], op.input(f"dy{i}", dtype, shape)))
    gradients = backward(op, pairs, [values[i] for i in wanted])
    names: list[str] = []
    for i, gradient in zip(wanted, gradients, strict=True):
        assert gradient is not None, f"input {i} of {case} has no gradient"
        assert {node.domain for node in op.graph} == {""}
        names.append(str(op.output(gradient, f"g{i}").name))
    feeds = {
        f"x{i}": cast(a, dtype)
        for i, a in enumerate(case.inputs)
        if a is not None and i not in case.constants
    }
    feeds |= {f"dy{i}": cast(a, dtype) for i, a in cotangents.items()}
    return Built(to_proto(op.graph), feeds, names)


def cotangents_of(case: Case, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """A random gradient for every output that the loss depends on."""
    outputs = forward_values(case, case.inputs)
    return {
        i: rng.normal(size=np.shape(y))
        for i, y in enumerate(outputs)
        if (np.asarray(y).dtype == np.float64 if case.targets is None else i in case.targets)
    }


def derivative_along(
    case: Case, cotangents: dict[int, np.ndarray], index: int, direction: np.ndarray
) -> float:
    """Central difference of sum(dy * y) along a direction of one input."""

    def loss(step: float) -> float:
        moved = list(case.inputs)
        moved[index] = moved[index] + step * direction
        outputs = forward_values(case, moved)
        return float(sum((dy * outputs[i]).sum() for i, dy in cotangents.items()))

    return (loss(STEP) - loss(-STEP)) / (2 * STEP)


@cache
def gradients_of(case: Case) -> tuple[dict[int, np.ndarray], Arrays]:
    """Cotangents and float64 gradients of all wanted inputs."""
    cotangents = cotangents_of(case, np.random.default_rng(11))
    built = differentiate(case, cotangents, case.wanted, case.dtype, False)
    return cotangents, built.run(reference=case.reference)


def assert_close(actual: np.ndarray, wanted: np.ndarray, tolerance: float, what: str) -> None:
    """Compare relative to the largest element."""
    assert np.shape(actual) == np.shape(wanted), what
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    error = float(np.abs(actual - wanted).max(initial=0.0)) / scale
    assert error <= tolerance, f"{what}: relative error {error:.2e} > {tolerance:.0e}"
