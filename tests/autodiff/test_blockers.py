"""Parts without a derivative are named before any gradient is built: all of them, with reasons."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import Blocker, find_blockers, gradient, gradients, refuse_blockers, registry
from seqonnx.errors import GradientError
from seqonnx.graph import Emitter


@pytest.fixture
def op() -> Emitter:
    return Emitter()


def weight(op: Emitter, name: str) -> ir.Value:
    return op.input(name, "float32", (3,))


def own(op: Emitter, x: ir.Value, name: str, op_type: str = "Twice") -> ir.Value:
    """Append a node of another domain, as a file may hold one."""
    node = ir.Node("com.example", op_type, [x], name=name)
    op.graph.append(node)
    (y,) = node.outputs
    y.name, y.type, y.shape = name, x.type, x.shape
    return y


def named(*values: ir.Value) -> dict[ir.Value, str]:
    return {value: f"path/{value.name}" for value in values}


def test_graph_with_a_rule_for_everything_has_none(op):
    a, b = weight(op, "a"), weight(op, "b")
    y = op.ReduceSum(op.Mul(op.Exp(a), op.Round(b)))
    assert find_blockers(op.graph, [y], named(a)) == []
    refuse_blockers(op.graph, [y], named(a))


def test_every_node_without_a_rule_is_named_with_what_is_behind_it(op):
    a, b, c = (weight(op, name) for name in "abc")
    first = own(op, op.Mul(a, b), "base/first")
    second = own(op, op.Add(first, c), "base/second", "Thrice")
    y = op.ReduceSum(second)
    assert find_blockers(op.graph, [y], named(a, b, c)) == [
        Blocker("Twice", "com.example", "base/first", ("path/a", "path/b"), None),
        Blocker("Thrice", "com.example", "base/second", ("path/a", "path/b", "path/c"), None),
    ]
    assert [x.blocked for x in find_blockers(op.graph, [y], named(c))] == [("path/c",)]
    with pytest.raises(GradientError) as error:
        refuse_blockers(op.graph, [y], named(a, b, c))
    assert str(error.value) == (
        "This cannot be differentiated:\n"
        "  operator Twice (domain 'com.example'), node 'base/first', layer 'base': no gradient "
        "rule. It blocks the gradient of ['path/a', 'path/b'].\n"
        "  operator Thrice (domain 'com.example'), node 'base/second', layer 'base': no gradient "
        "rule. It blocks the gradient of ['path/a', 'path/b', 'path/c'].\n"
        "Either leave what is blocked out (of `wrt`, or of training with `layer.trainable = "
        'False`), or register a rule with `@seqonnx.autodiff.gradient("com.example", "Twice")`, '
        '`@seqonnx.autodiff.gradient("com.example", "Thrice")`.'
    )


def test_node_off_the_way_is_none(op):
    a, b = weight(op, "a"), weight(op, "b")
    own(op, a, "unused")
    y = op.ReduceSum(op.Mul(a, own(op, b, "frozen")))
    assert find_blockers(op.graph, [y], named(a)) == []


def test_operator_without_a_gradient_blocks_what_has_no_other_way(op):
    a, b = weight(op, "a"), weight(op, "b")
    rounded = op.Round(op.Mul(a, b))
    y = op.ReduceSum(op.Add(rounded, a))
    (blocker,) = find_blockers(op.graph, [y], named(a, b))
    assert (blocker.op_type, blocker.blocked) == ("Round", ("path/b",))
    assert blocker.reason is not None
    assert blocker.reason in str(blocker)
    with pytest.raises(GradientError) as error:
        refuse_blockers(op.graph, [y], named(b))
    assert str(error.value) == (  # Round cannot get a rule
        "This cannot be differentiated:\n"
        "  operator Round (domain 'ai.onnx'), node 'Round', layer '(none)': no gradient: "
        f"{blocker.reason}. It blocks the gradient of ['path/b'].\n"
        "Either leave what is blocked out (of `wrt`, or of training with `layer.trainable = "
        "False`)."
    )
    assert find_blockers(op.graph, [y], named(a)) == []
    refuse_blockers(op.graph, [y], named(b), zero_counts=True)


def test_integers_and_sizes_on_the_way_do_no_harm(op):
    a = weight(op, "a")
    y = op.ReduceSum(op.Reshape(op.Mul(a, 2.0), op.Concat(op.Shape(a), [1], axis=0)))
    assert find_blockers(op.graph, [y], named(a)) == []


def test_what_a_subgraph_takes_from_outside_counts_as_its_input(op, own_registry):
    registry._rules.pop(("", "If"))
    a, b = weight(op, "a"), weight(op, "b")
    inner_op = Emitter(ir.Graph([], [], nodes=[], opset_imports={"": 23}, name="inner"))
    node = ir.Node("", "Mul", [a, b], name="inner/Mul")
    node.outputs[0].name = "inner/Mul"
    inner_op.graph.append(node)
    inner_op.graph.outputs.append(node.outputs[0])
    condition = op.Greater(op.ReduceSum(a), 0.0)
    branches = [ir.AttrGraph(n, inner_op.graph.clone(allow_outer_scope_values=True))
                for n in ("then_branch", "else_branch")]  # fmt: skip
    choice = ir.Node("", "If", [condition], branches, name="base/If")
    choice.outputs[0].name = "base/If"
    choice.outputs[0].type = a.type
    op.graph.append(choice)
    y = op.ReduceSum(choice.outputs[0])
    (blocker,) = find_blockers(op.graph, [y], named(a, b))
    assert (blocker.op_type, blocker.node) == ("If", "base/If")
    assert blocker.blocked == ("path/a", "path/b")


def test_gradients_of_a_file_refuse_what_only_a_subgraph_uses(own_registry):
    registry._rules.pop(("", "If"))
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        net (float[3] x, bool c) => (float[3] y) {
            y = If (c) <
                then_branch = yes () => (float[3] t) { t = Neg(x) },
                else_branch = no () => (float[3] e) { e = Exp(x) }
            >
        }
        """
    )
    with pytest.raises(GradientError, match=r"operator If .*blocks the gradient of \['x'\]"):
        gradients(network, "y", ["x"])


def test_long_lists_are_cut():
    names = tuple(f"w{i}" for i in range(12))
    text = str(Blocker("Twice", "", "n", names, None))
    assert "'w4'] and 7 more" in text
    assert "domain 'ai.onnx'" in text
    assert "layer '(none)'" in text


class Blocked(layers.Layer):
    """A layer whose operator has no rule."""

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

    def call(self, op, x, training):
        return own(op, op.Mul(x, self.scale), op.unique_name("Twice"))


def test_fit_names_all_blockers_before_it_starts_and_a_rule_lifts_them(own_registry):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, name="d"), Blocked(name="one"), Blocked(name="two")]
    )
    model.compile("sgd", "mse")
    before = model.get_weights()
    x, y = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    with pytest.raises(GradientError) as error:
        model.fit(x, y, verbose=0)
    text = str(error.value)
    assert "node 'one/Twice', layer 'one'" in text
    assert "node 'two/Twice', layer 'two'" in text
    assert "['d/kernel', 'd/bias', 'one/scale', 'two/scale']" in text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))

    @gradient("com.example", "Twice")
    def twice(op, node, dy):
        return op.Mul(dy, 2.0)

    with pytest.raises(Exception, match=r"com\.example"):  # the runtime lacks the operator itself
        model.fit(x, y, verbose=0)
