"""A weight and what adapts it are multiplied apart, wherever a product reads their sum."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import seqonnx
from seqonnx import layers, optimizers
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.low_rank import split_low_rank
from seqonnx.training import trainer
from support.importers.networks import noise, parsed

SIZES = {"x": ("n", 8), "w": (8, 6), "a": (8, 2), "b": (2, 6), "c": (6,), "v": (6, 8)}


def adapted(op: Emitter, kind: str) -> object:
    """A product with a sum, as the adapters of layers and of files make it."""
    x, w, a, b, c, v = (op.input(name, "float32", size) for name, size in SIZES.items())
    total = op.Add(w, op.MatMul(a, op.Mul(b, 0.5)))
    turned = op.Add(v, op.Transpose(op.MatMul(a, op.Mul(b, 0.5)), perm=[1, 0]))
    return {
        "MatMul": lambda: op.MatMul(x, total),
        "Gemm": lambda: op.Gemm(x, total, c),
        "Gemm of a transposed weight": lambda: op.Gemm(x, turned, c, transB=1),
        "two products": lambda: op.Add(op.MatMul(x, total), op.Gemm(x, total, c)),
        "Gemm of a half": lambda: op.Gemm(x, total, c, alpha=0.5),
        "sum that is shown": lambda: op.Add(op.MatMul(x, total), op.ReduceSum(total)),
    }[kind]()


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = {name: [5 if d == "n" else d for d in size] for name, size in SIZES.items()}
    return {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}


@pytest.mark.parametrize(
    ("kind", "sums"),
    [
        ("MatMul", 0),
        ("Gemm", 0),
        ("Gemm of a transposed weight", 0),
        ("two products", 0),
        ("Gemm of a half", 1),
        ("sum that is shown", 1),
    ],
)
def test_values_stay_and_no_sum_is_left(kind, sums):
    results, left = [], []
    for split in (False, True):
        op = Emitter()
        op.output(adapted(op, kind), "y")
        if split:
            split_low_rank(op)
        used = {v.name for node in op.graph for v in node.inputs if v is not None}
        left.append(
            sum(
                node.op_type == "Add" and list(node.outputs[0].shape) in ([8, 6], [6, 8])
                for node in op.graph
                if node.outputs[0].name in used
            )
        )
        results.append(ReferenceEvaluator(to_proto(op.graph)).run(None, arrays())[0])
    assert left == [1, sums]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_factors_that_are_not_thin_stay():
    op = Emitter()
    sizes = {"x": ("n", 3), "w": (3, 3), "a": (3, 2), "b": (2, 3)}
    x, w, a, b = (op.input(name, "float32", size) for name, size in sizes.items())
    op.output(op.MatMul(x, op.Add(w, op.MatMul(a, b))), "y")
    split_low_rank(op)
    assert [node.op_type for node in op.graph] == ["MatMul", "Add", "MatMul"]


NETWORK = """
    <ir_version: 8, opset_import: ["": 17]>
    net (float[N, 24] x) => (float[N, 20] y)
    <float[24, 32] first, float[20, 32] second, float[20] bias> {
        a = MatMul(x, first)
        b = Tanh(a)
        y = Gemm<transB=1>(b, second, bias)
    }
"""


@pytest.mark.parametrize("make", ["file", "dense"])
def test_no_gradient_of_a_step_is_as_large_as_an_adapted_weight(make, monkeypatch):
    built = []
    original = trainer.build_train_step

    def remembering(*args, **kwargs):
        built.append(original(*args, **kwargs))
        return built[-1]

    monkeypatch.setattr(trainer, "build_train_step", remembering)
    if make == "file":
        layer = layers.ONNXModel(parsed(NETWORK))
        layer.enable_lora(2)
        stack = [layer]
    else:
        stack = [layers.Dense(32, activation="tanh", lora_rank=2), layers.Dense(20, lora_rank=2)]
    model = seqonnx.Sequential([seqonnx.Input((24,)), *stack])
    model.compile(optimizers.SGD(0.1), "mse")
    model.train_on_batch(noise(4, 24), noise(4, 20))
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(built[0].model)).graph
    made = {name for node in graph.node for name in node.output}
    shapes = {
        tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in graph.value_info
        if value.name in made
    }
    assert (4, 32) in shapes
    assert shapes & {(24, 32), (32, 24), (32, 20), (20, 32)} == set()
