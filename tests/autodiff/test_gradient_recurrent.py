"""The definitions that recurrent gradients are checked against are ONNX Runtime's operators."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.autodiff.idioms.recurrent_cells import activations_of
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.cases_recurrent import CASES
from support.autodiff.definitions_recurrent import FUNCTIONS
from support.autodiff.gradient_check import Case, assert_close, cast, emit, run_onnxruntime


@pytest.mark.parametrize("case", [case for case in CASES if case.onnxruntime], ids=str)
def test_definition_is_what_onnxruntime_computes(case: Case) -> None:
    op = Emitter()
    _, outputs = emit(op, case, "float32", symbolic=False)
    names = [str(op.output(value, f"y{i}").name) for i, value in enumerate(outputs)]
    feeds = {f"x{i}": cast(a, "float32") for i, a in enumerate(case.inputs) if a is not None}
    made = run_onnxruntime(to_proto(op.graph), names, feeds)
    for actual, wanted in zip(made, case.forward(*case.inputs), strict=True):
        assert_close(actual, wanted, 1e-5, "output")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_activation_is_its_formula(name: str) -> None:
    numbers = {"Affine": (0.7, 0.2), "ScaledTanh": (1.3, 0.6), "HardSigmoid": (0.3, 0.4)}
    alpha, beta = numbers.get(name, (0.3, 0.0))
    op = Emitter()
    x = op.input("x", "float32", ("time", 1, 4))
    w, r = op.input("w", "float32", (1, 3, 4)), op.input("r", "float32", (1, 3, 3))
    y, _ = op.RNN(
        x, w, r, hidden_size=3, activations=[name], activation_alpha=[alpha],
        activation_beta=[beta], _outputs=2,
    )  # fmt: skip
    node = y.producer()
    assert node is not None
    ((function,),) = activations_of(node, ["Tanh"], 1)
    alone = Emitter()
    z = alone.input("z", "float32", (50,))
    made = str(alone.output(function(alone, z), "made").name)
    points = np.linspace(-3, 3, 50).astype(np.float32)
    (actual,) = run_onnxruntime(to_proto(alone.graph), [made], {"z": points})
    assert_close(actual, FUNCTIONS[name](points.astype(np.float64), alpha, beta), 1e-6, name)


def test_rows_with_a_symbolic_batch_and_time() -> None:
    """Without sizes of batch and time the gradient is the same."""
    grads = []
    arrays = [np.random.default_rng(i).normal(size=s).astype(np.float32)
              for i, s in enumerate([(5, 2, 3), (1, 16, 3), (1, 16, 4)])]  # fmt: skip
    for shape in [(5, 2, 3), ("time", "batch", 3), (None, None, 3)]:
        op = Emitter()
        x = op.input("x", "float32", shape)
        w, r = (op.constant(a, "w") for a in arrays[1:])
        y, _, _ = op.LSTM(x, w, r, hidden_size=4, _outputs=3)
        dy = op.input("dy", "float32", [None] * 4)
        found = backward(op, [(y, dy)], [x, w, r])
        names = [str(op.output(g, f"g{i}").name) for i, g in enumerate(found) if g is not None]
        seed = np.random.default_rng(9).normal(size=(5, 1, 2, 4)).astype(np.float32)
        grads.append(run_onnxruntime(to_proto(op.graph), names, {"x": arrays[0], "dy": seed}))
    for other in grads[1:]:
        for a, b in zip(grads[0], other, strict=True):
            assert_close(b, a, 1e-6, "symbolic")


def test_nothing_is_computed_that_no_gradient_needs() -> None:
    """Nodes that a rule emits only to walk backwards go; the operator itself stays."""
    op = Emitter()
    x = op.input("x", "float32", (5, "batch", 3))
    w, r = op.input("w", "float32", (1, 16, 3)), op.input("r", "float32", (1, 16, 4))
    y, _, _ = op.LSTM(x, w, r, hidden_size=4, _outputs=3)
    dy = op.input("dy", "float32", (5, 1, "batch", 4))
    kept = {y, *(grad for grad in backward(op, [(y, dy)], [x, w, r]) if grad is not None)}
    unused = [
        node.name
        for node in op.graph
        if not any(value in kept or list(value.uses()) for value in node.outputs)
    ]
    assert unused == []
    assert [node.op_type for node in op.graph].count("LSTM") == 1
