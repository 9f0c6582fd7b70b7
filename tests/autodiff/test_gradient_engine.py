"""The engine: what is walked, summed, refused and named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

import seqonnx.autodiff.rules as rules
from seqonnx.autodiff import backward, gradient, nondifferentiable, refuse_blockers
from seqonnx.errors import GradientError
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_reference

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
DY = np.array([[0.3, 1.0, -2.0], [1.5, 0.25, 4.0]])


def start() -> tuple[Emitter, ir.Value, ir.Value]:
    op = Emitter()
    shape = ("batch", 3)
    return op, op.input("x", "float64", shape), op.input("dy", "float64", shape)


def run(op: Emitter, *values: ir.Value, **feeds: np.ndarray) -> list[np.ndarray]:
    names = [str(op.output(value, f"out{i}").name) for i, value in enumerate(values)]
    used = {"x": X, "dy": DY} | feeds
    inputs = {value.name for value in op.graph.inputs}
    return run_reference(to_proto(op.graph), names, {k: v for k, v in used.items() if k in inputs})


def custom(op: Emitter, x: ir.Value, scope: str = "layer") -> ir.Value:
    """Append a node of another domain, as a file may hold one."""
    node = ir.Node("com.example", "Twice", [x], name=f"{scope}/Twice")
    op.graph.append(node)
    (y,) = node.outputs
    y.name, y.type, y.shape = f"{scope}/Twice", x.type, x.shape
    return y


def test_value_used_twice_gets_the_sum():
    op, x, dy = start()
    (dx,) = backward(op, [(op.Mul(x, x), dy)], [x])
    np.testing.assert_allclose(run(op, dx)[0], 2 * X * DY)


def test_diamond_is_walked_once_for_each_node():
    op, x, dy = start()
    middle = op.Exp(x)
    y = op.Add(op.Sin(middle), op.Mul(middle, 3.0))
    count = len(list(op.graph))
    (dx,) = backward(op, [(y, dy)], [x])
    made = [node.op_type for node in list(op.graph)[count:]]
    assert sorted(made) == ["Add", "Cos", "Mul", "Mul", "Mul"]
    np.testing.assert_allclose(run(op, dx)[0], DY * (np.cos(np.exp(X)) + 3) * np.exp(X))


def test_unused_output_counts_as_zero():
    op, x, _ = start()
    first, _ = op.Split(x, [1, 2], axis=1, _outputs=2)
    dy = op.input("d", "float64", ("batch", 1))
    (dx,) = backward(op, [(first, dy)], [x])
    d = np.array([[2.0], [3.0]])
    np.testing.assert_allclose(run(op, dx, d=d)[0], [[2, 0, 0], [3, 0, 0]])


def test_target_that_is_wanted_gets_its_own_gradient():
    op, x, dy = start()
    y = op.Exp(x)
    grads = backward(op, [(y, dy)], [y])
    assert grads == [dy]


def test_inner_value_cuts_the_walk():
    op, x, dy = start()
    middle = op.Exp(x)
    count = len(list(op.graph)) + 1
    backward(op, [(op.Sin(middle), dy)], [middle])
    assert [node.op_type for node in list(op.graph)[count:]] == ["Cos", "Mul"]


def test_two_targets_add_up():
    op, x, dy = start()
    (dx,) = backward(op, [(op.Exp(x), dy), (op.Mul(x, 2.0), dy)], [x])
    np.testing.assert_allclose(run(op, dx)[0], DY * (np.exp(X) + 2))


def test_value_that_no_target_depends_on_has_no_gradient():
    op, x, dy = start()
    other = op.input("other", "float64", ("batch", 3))
    dx, dother = backward(op, [(op.Exp(x), dy)], [x, other])
    assert dx is not None
    assert dother is None


def test_gradient_stops_at_what_has_none():
    op, x, dy = start()
    y = op.Mul(op.Floor(x), x)
    (dx,) = backward(op, [(y, dy)], [x])
    np.testing.assert_allclose(run(op, dx)[0], DY * np.floor(X))
    op, x, dy = start()
    assert backward(op, [(op.Sign(x), dy)], [x]) == [None]


def test_integers_on_the_way_stop_the_gradient():
    op, x, dy = start()
    whole = op.Cast(x, to=ir.DataType.INT64)
    y = op.Add(x, op.Cast(whole, to=ir.DataType.DOUBLE))
    (dx,) = backward(op, [(y, dy)], [x])
    np.testing.assert_allclose(run(op, dx)[0], DY)


def test_gradient_nodes_carry_the_scope_of_the_layer():
    op, x, dy = start()
    with op.scope("dense_1"):
        y = op.Exp(x)
    count = len(list(op.graph))
    backward(op, [(y, dy)], [x])
    assert [node.name for node in list(op.graph)[count:]] == ["grad/dense_1/Mul"]


def scopes(op: Emitter, nodes: int) -> set[str]:
    """Scopes of the nodes behind the first ones."""
    return {str(node.name).rpartition("/")[0] for node in list(op.graph)[nodes:]}


def test_gradients_of_gradients_are_numbered_not_nested():
    op, value, dy = start()
    with op.scope("block/dense"):
        y = op.Mul(op.Exp(value), value)
    for scope in ("grad/block/dense", "grad2/block/dense", "grad3/block/dense"):
        count = len(list(op.graph))
        (y,) = backward(op, [(y, dy)], [value])
        assert scope in scopes(op, count)
        assert all(len(name.split("/")) <= 3 for name in scopes(op, count))


def test_rule_that_differentiates_on_its_way_stays_in_its_scope():
    op, _, _ = start()
    q, dy = (op.input(name, "float64", (1, 2, 3, 4)) for name in ("q", "dq"))
    with op.scope("attention"):
        y = op.Attention(q, q, q)
    count = len(list(op.graph))
    (dq,) = backward(op, [(y, dy)], [q])
    assert scopes(op, count) == {"grad", "grad/attention"}  # `grad` sums up for the input
    count = len(list(op.graph))
    backward(op, [(dq, dy)], [q])
    assert scopes(op, count) - {"grad", "grad2"} == {"grad2/attention"}


def test_same_graph_gives_the_same_bytes():
    made = []
    for _ in range(2):
        op, x, dy = start()
        (dx,) = backward(op, [(op.Softmax(op.Mul(x, x)), dy)], [x])
        op.output(dx, "dx")
        made.append(to_proto(op.graph).SerializeToString(deterministic=True))
    assert made[0] == made[1]


def test_missing_rule_names_operator_node_layer_weights_and_ways_out():
    op, x, dy = start()
    y = custom(op, op.Exp(x), "base/twice")
    with pytest.raises(GradientError) as error:
        backward(op, [(y, dy)], [x])
    assert str(error.value) == (
        "This cannot be differentiated:\n"
        "  operator Twice (domain 'com.example'), node 'base/twice/Twice', layer 'base/twice': no "
        "gradient rule. It blocks the gradient of ['x'].\n"
        "Either leave what is blocked out (of `wrt`, or of training with `layer.trainable = "
        'False`), or register a rule with `@seqonnx.autodiff.gradient("com.example", "Twice")`.'
    )


def test_engine_and_forecast_say_the_same_of_a_missing_rule():
    op, x, dy = start()
    y = custom(op, op.Exp(x))
    texts = []
    for refuse in (
        lambda: backward(op, [(y, dy)], [x]),
        lambda: refuse_blockers(op.graph, [y], {x: "x"}),
    ):
        with pytest.raises(GradientError) as error:
            refuse()
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_missing_rule_off_the_way_does_no_harm():
    op, x, dy = start()
    other = op.input("other", "float64", ("batch", 3))
    y = op.Mul(x, custom(op, other))
    (dx,) = backward(op, [(y, dy)], [x])
    assert dx is not None


def test_rule_of_ones_own_is_used(own_registry):
    @gradient("com.example", "Twice")
    def twice(op, node, dy):
        return op.Mul(dy, 2.0)

    op, x, dy = start()
    (dx,) = backward(op, [(custom(op, x), dy)], [x])
    assert dx.producer().op_type == "Mul"


def test_rule_with_too_many_gradients_is_refused(own_registry):
    @gradient("com.example", "Twice")
    def twice(op, node, dy):
        return dy, dy

    op, x, dy = start()
    with pytest.raises(GradientError, match="returned 2 gradients for the 1 inputs of node"):
        backward(op, [(custom(op, x), dy)], [x])


def test_rule_with_another_type_is_refused(own_registry):
    @gradient("com.example", "Twice")
    def twice(op, node, dy):
        return op.Cast(dy, to=ir.DataType.FLOAT)

    op, x, dy = start()
    with pytest.raises(GradientError, match="returned FLOAT for input 'x' of node"):
        backward(op, [(custom(op, x), dy)], [x])


def test_second_rule_for_an_operator_is_refused(own_registry):
    with pytest.raises(ValueError, match=r"The operator Add \(domain ''\) already has a gradient"):
        gradient("", "Add")(lambda op, node, dy: dy)
    with pytest.raises(ValueError, match="The operator Add"):
        nondifferentiable("", "Add", reason="no")
    with pytest.raises(ValueError, match="The operator Floor"):
        gradient("", "Floor")(lambda op, node, dy: dy)


def test_every_module_with_rules_is_listed():
    registering = {
        path.stem
        for path in Path(rules.__file__).parent.glob("*.py")
        if re.search(r"^(@gradient|declare)\(", path.read_text("utf-8"), re.MULTILINE)
    }
    assert registering == set(rules.FAMILIES)


@pytest.mark.parametrize(
    ("emit", "second"),
    [
        (lambda op, x: op.Exp(x), np.exp),
        (lambda op, x: op.Sin(x), lambda x: -np.sin(x)),
        (lambda op, x: op.Mul(op.Mul(x, x), x), lambda x: 6 * x),
        (lambda op, x: op.Sigmoid(x), None),
        (lambda op, x: op.Tanh(x), None),
        (lambda op, x: op.Softmax(x), None),
        (lambda op, x: op.LayerNormalization(x, np.ones(3), np.zeros(3)), None),
        (lambda op, x: op.ReduceLogSumExp(x, [1]), None),
        (lambda op, x: op.Relu(op.MatMul(x, np.arange(9.0).reshape(3, 3) - 4)), None),
        (lambda op, x: op.Gather(x, np.array([0, 0, 2]), axis=1), None),
        (lambda op, x: op.Pow(op.Abs(x), 2.5), None),
    ],
)
def test_gradient_of_a_gradient(emit, second):
    def first(x: np.ndarray) -> np.ndarray:
        op = Emitter()
        value = op.input("x", "float64", ("batch", 3))
        squared = op.Mul(emit(op, value), emit(op, value))
        total = (
            op.ReduceSum(squared, keepdims=0)
            if second is None
            else op.ReduceSum(emit(op, value), keepdims=0)
        )
        (dx,) = backward(op, [(total, op.constant(np.array(1.0)))], [value])
        (ddx,) = backward(op, [(dx, op.constant(DY))], [value])
        return run(op, dx, op.constant(np.zeros(())) if ddx is None else ddx, x=x)

    gradient_there, curvature = first(X)
    if second is not None:
        np.testing.assert_allclose(curvature, second(X) * DY, rtol=1e-9)
    step, direction = 1e-5, np.array([[0.3, -1.0, 0.7], [1.1, 0.2, -0.4]])
    ahead, behind = first(X + step * direction)[0], first(X - step * direction)[0]
    numeric = ((ahead - behind) / (2 * step) * DY).sum()
    assert (curvature * direction).sum() == pytest.approx(numeric, rel=1e-6, abs=1e-8)
    assert gradient_there.shape == X.shape


def test_nothing_behind_a_wanted_value_is_asked_for_a_rule():
    """One of two outputs is wanted; the operator that makes both has no rule, and needs none."""
    op = Emitter()
    x = op.input("x", "float32", (4,))
    q, scale, _ = op.DynamicQuantizeLinear(x, _outputs=3)
    target = op.Mul(op.DequantizeLinear(q, scale), scale)
    found = backward(op, [(target, op.input("dy", "float32", (4,)))], [scale])
    assert found[0] is not None
