"""Nothing is computed that nobody asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from seqonnx.autodiff import backward, gradients, hessian_vector_product, jvp, registry, vjp
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto


@pytest.fixture
def visited(own_registry, monkeypatch) -> list[str]:
    """Names of the nodes that rules are asked about, in order."""
    names: list[str] = []

    def watched(rule):
        def watch(op, node, *grads):
            names.append(node.name)
            return rule(op, node, *grads)

        return watch

    for key, rule in registry._rules.items():
        monkeypatch.setitem(registry._rules, key, watched(rule))
    return names


@pytest.fixture
def op() -> Emitter:
    return Emitter()


def tensor(op: Emitter, name: str, *shape: int | str) -> ir.Value:
    return op.input(name, "float32", shape)


def added(op: Emitter, y: ir.Value, *wrt: ir.Value) -> Counter[str]:
    """Kinds of the nodes that the gradient of one value adds."""
    dy = op.input("dy", "float32", [d if isinstance(d, int) else d.value for d in y.shape])
    before = set(op.graph)
    assert None not in backward(op, [(y, dy)], list(wrt))
    return Counter(node.op_type for node in op.graph if node not in before)


def test_only_what_leads_from_the_wanted_to_the_loss_is_differentiated(op, visited):
    x, w, other = (tensor(op, name, 3) for name in ("x", "w", "other"))
    before = op.Sin(x)  # in front of what is wanted
    side = op.Exp(op.Cos(other))  # enters, but leads from nothing wanted
    on_path = op.Mul(op.Add(before, w), side)
    op.Tanh(on_path)  # leads to no loss
    end = op.Sigmoid(on_path)
    op.Relu(end)  # behind the loss
    added(op, end, w)
    assert visited == ["Sigmoid", "Mul", "Add"]


def test_only_wanted_operands_get_a_gradient(op):
    x, w = tensor(op, "x", "batch", 3), tensor(op, "w", 3, 4)
    y = op.MatMul(x, w)
    assert added(op, y, x) == {"Gemm": 1}
    op = Emitter()
    x, w = tensor(op, "x", "batch", 3), tensor(op, "w", 3, 4)
    assert added(op, op.MatMul(x, w), x, w) == {"Gemm": 2}


def test_frozen_layer_in_the_middle_costs_no_weight_gradient(op):
    x, first, frozen = tensor(op, "x", "n", 4), tensor(op, "a", 4, 4), tensor(op, "b", 4, 4)
    y = op.MatMul(op.Relu(op.MatMul(x, first)), frozen)
    assert added(op, y, first)["Gemm"] == 2  # through `frozen`, then to `first`


def test_path_through_a_rounding_is_not_walked(op, visited):
    x = tensor(op, "x", 3)
    y = op.Mul(op.Exp(op.Round(op.Cos(x))), x)
    added(op, y, x)
    assert visited == ["Mul"]


def test_unused_outputs_of_split_are_padding(op):
    x = tensor(op, "x", "batch", 6)
    _, second, third, _ = op.Split(x, [1, 2, 2, 1], axis=1, _outputs=4)
    assert added(op, second, x) == {"Pad": 1}
    op = Emitter()
    x = tensor(op, "x", "batch", 6)
    _, second, third, _ = op.Split(x, [1, 2, 2, 1], axis=1, _outputs=4)
    assert added(op, op.Mul(second, third), x) == {"Mul": 2, "Concat": 1, "Pad": 1}


def test_unused_statistics_of_a_normalization_cost_nothing():
    def steps(outputs: tuple[int, ...]) -> int:
        op = Emitter()
        x = tensor(op, "x", 2, 3, 4, 4)
        rest = [tensor(op, name, 3) for name in ("scale", "bias", "mean", "var")]
        made = op.BatchNormalization(x, *rest, training_mode=1, _outputs=3)
        pairs = [(made[i], op.input(f"d{i}", "float32", made[i].shape.numpy())) for i in outputs]
        before = len(list(op.graph))
        assert backward(op, pairs, [x]) != [None]
        return len(list(op.graph)) - before

    alone, with_statistics = steps((0,)), steps((0, 1, 2))
    assert alone < with_statistics - 8


def test_gradient_of_an_unused_output_is_none(own_registry):
    seen: list[list[bool]] = []

    def rule(op, node, *grads):
        seen.append([grad is not None for grad in grads])
        return [op.Mul(grads[1], 2.0)]

    registry._rules["own", "Three"] = rule
    op = Emitter()
    x, dy = tensor(op, "x", 3), tensor(op, "dy", 3)
    node = ir.Node("own", "Three", [x], num_outputs=3, name="Three")
    op.graph.append(node)
    for i, value in enumerate(node.outputs):
        value.name, value.type, value.shape = f"three.{i}", x.type, x.shape
    op.Exp(node.outputs[0])
    backward(op, [(node.outputs[1], dy)], [x])
    assert seen == [[False, True, False]]


def test_constants_stay_constants(op, visited):
    x = tensor(op, "x", "n", 3)
    table = op.Softmax(
        op.MatMul(op.constant(np.eye(3, dtype=np.float32)), np.ones((3, 3), np.float32))
    )
    y = op.MatMul(x, op.Exp(table))
    assert added(op, y, x) == {"Gemm": 1}
    assert visited == ["MatMul_1"]


def wide() -> onnx.ModelProto:
    """Two heads; the second is large and nobody asks for it, nor for the last step of the first."""
    op = Emitter()
    x = tensor(op, "x", 2, 3)
    hidden = op.Tanh(op.MatMul(x, np.ones((3, 4), np.float32)))
    op.output(op.Add(op.MatMul(hidden, op.constant(np.ones((4, 2), np.float32), "head")), 1.0), "y")
    big = op.constant(np.ones((4, 50), np.float32), "unused")
    op.output(op.Softmax(op.MatMul(hidden, big)), "z")
    return to_proto(op.graph)


@pytest.mark.parametrize("make", [gradients, vjp, jvp, hessian_vector_product])
def test_dead_forward_nodes_and_weights_go(make):
    model = make(wide(), "y", "x")
    needed = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        assert needed & set(node.output), node.name
        needed |= set(node.input)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Softmax"] == 0  # the other head
    assert "Add" not in {node.name for node in model.graph.node}  # no derivative needs its value
    assert kinds["Tanh"] == 1
    assert {tensor.name for tensor in model.graph.initializer} <= needed
    assert "unused" not in needed


def test_dummy_cotangent_of_forward_mode_is_gone():
    op = Emitter()
    x = op.input("x", "float32", ("n", 3))
    op.output(op.Mul(op.Expand(op.Sin(x), [1, 3]), op.Exp(x)), "y")
    model = jvp(to_proto(op.graph), "y", "x")
    assert [value.name for value in model.graph.input] == ["x", "tangent/x"]
    assert "ConstantOfShape" not in {node.op_type for node in model.graph.node}
