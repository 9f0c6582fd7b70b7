"""Model-local functions: their own rule differentiates them if there is one, else the body."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from seqonnx.autodiff import (
    gradient,
    gradients,
    hessian_vector_product,
    jvp,
    nondifferentiable,
    vjp,
)
from seqonnx.errors import GradientError, ModelFileError
from seqonnx.graph import OPSET
from support.autodiff.gradient_check import run_onnxruntime, run_reference

ROOT = Path(__file__).resolve().parents[2]
X = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]])


def model_of(nodes: str, functions: str, opset: int = OPSET) -> onnx.ModelProto:
    """A model from `double x[N, 3]` to `double y[N, 3]`."""
    return onnx.parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["": {opset}, "own": 1]>
        net (double[N, 3] x, bool which) => (double[N, 3] y) {{ {nodes} }}
        {functions.replace("<own>", f'<domain: "own", opset_import: ["": {opset}, "own": 1]>')}
        """
    )


SCALED = "<own> Scaled <by: float = 2.0> (a) => (b)\n{ f = Constant<value_float: float=@by>()\n"
SCALED += "d = CastLike(f, a)\n e = Mul(a, a)\n b = Mul(e, d) }"


def run(model: onnx.ModelProto, **feeds: np.ndarray) -> list[np.ndarray]:
    """Check that a model is plain; run it on the standard's evaluator and on ONNX Runtime."""
    onnx.checker.check_model(model, full_check=True)
    assert len(model.functions) == 0
    assert [(s.domain, s.version) for s in model.opset_import] == [("", OPSET)]
    names = [value.name for value in model.graph.output]
    feeds = {value.name: feeds[value.name.replace("/", "_")] for value in model.graph.input}
    found = run_reference(model, names, feeds)
    for here, there in zip(found, run_onnxruntime(model, names, feeds), strict=True):
        np.testing.assert_allclose(here, there)
    return found


def derivative_of(model: onnx.ModelProto, **feeds: np.ndarray) -> np.ndarray:
    return run(gradients(model, "y", ["x"]), which=np.array(True), x=X, **feeds)[0]


@pytest.fixture
def scaled_by_rule(own_registry):
    """A rule that can be told from the truth: it is ten times too large."""
    seen: list[ir.Node] = []

    @gradient("own", "Scaled")
    def scaled(op, node, dy):
        seen.append(node)
        by = node.attributes.get_float("by", 2.0)
        return op.Mul(dy, op.Mul(node.inputs[0], 20.0 * by))

    return seen


def test_function_without_a_rule_is_differentiated_through_its_body():
    np.testing.assert_allclose(derivative_of(model_of("y = own.Scaled<by=3.0>(x)", SCALED)), 6 * X)


@pytest.mark.parametrize("opset", [17, OPSET])
def test_rule_wins_over_the_body_and_the_result_is_plain(opset, scaled_by_rule):
    model = model_of("h = own.Scaled<by=3.0>(x)\n y = own.Scaled(h)", SCALED, opset)
    want = (20 * 2 * 3 * X**2) * (20 * 3 * X)
    np.testing.assert_allclose(derivative_of(model), want)
    assert len(scaled_by_rule) == 2


@pytest.mark.parametrize("opset", [17, OPSET])
def test_rule_sees_attributes_types_and_shapes(opset, own_registry):
    seen: list[str] = []

    @gradient("own", "Scaled")
    def scaled(op, node, dy):
        seen.append(f"{node.domain}.{node.op_type} by {node.attributes.get_float('by')}")
        seen.extend(f"{v.dtype} {v.shape}" for v in (*node.inputs, *node.outputs))
        return dy

    derivative_of(model_of("h = Exp(x)\n y = own.Scaled<by=3.0>(h)", SCALED, opset))
    assert seen == ["own.Scaled by 3.0", "DOUBLE [N,3]", "DOUBLE [N,3]"]


def test_function_inside_another_is_found_and_the_outer_rule_wins(scaled_by_rule):
    outer = "<own> Outer (a) => (b) { s = own.Scaled<by=1.0>(a)\n b = Neg(s) }\n" + SCALED
    model = model_of("y = own.Outer(x)", outer)
    np.testing.assert_allclose(derivative_of(model), -20 * X)

    @gradient("own", "Outer")
    def outer_rule(op, node, dy):
        return op.Mul(dy, 7.0)

    np.testing.assert_allclose(derivative_of(model), np.full_like(X, 7))


def test_function_in_a_branch(scaled_by_rule):
    nodes = """y = If (which) <
        then_branch = yes () => (double[N, 3] t) { t = own.Scaled<by=1.0>(x) },
        else_branch = no () => (double[N, 3] e) { e = Neg(x) } >"""
    model = gradients(model_of(nodes, SCALED), "y", ["x"])
    np.testing.assert_allclose(run(model, which=np.array(True), x=X)[0], 20 * X)
    np.testing.assert_allclose(run(model, which=np.array(False), x=X)[0], -np.ones_like(X))


def test_forward_values_come_from_the_body(scaled_by_rule):
    model = model_of("h = own.Scaled<by=3.0>(x)\n y = Mul(h, x)", SCALED)
    np.testing.assert_allclose(derivative_of(model), 3 * X**2 + 60 * X * X)


def test_products_and_second_order_use_the_rule(scaled_by_rule):
    model, ones = model_of("y = own.Scaled<by=1.0>(x)", SCALED), np.ones_like(X)
    feeds = {"which": np.array(True), "x": X, "tangent_x": ones, "cotangent_y": ones}
    np.testing.assert_allclose(run(jvp(model, "y", "x"), **feeds)[0], 20 * X)
    np.testing.assert_allclose(run(vjp(model, "y", "x"), **feeds)[0], 20 * X)
    np.testing.assert_allclose(run(hessian_vector_product(model, "y", "x"), **feeds)[0], 20 * ones)


def test_several_outputs_and_an_input_left_out(own_registry):
    body = "<own> Both (a, b, c) => (d, e) { d = Mul(a, c)\n e = Add(a, c) }"

    @gradient("own", "Both")
    def both(op, node, dd, de):
        assert node.inputs[1] is None
        assert dd is None
        return op.Mul(de, 5.0)  # the third input counts as having no gradient

    np.testing.assert_allclose(
        derivative_of(model_of("d, y = own.Both(x, , x)", body, 18)), np.full_like(X, 5)
    )


def test_declaration_wins_over_the_body_too(own_registry):
    nondifferentiable("own", "Scaled", reason="a test says so")
    model = model_of("h = own.Scaled<by=1.0>(x)\n y = Mul(h, x)", SCALED)
    np.testing.assert_allclose(derivative_of(model), X**2)


def test_own_rule_may_be_registered_again_and_the_last_one_counts(own_registry):
    for factor in (3.0, 4.0):

        @gradient("own", "Scaled")
        def scaled(op, node, dy, factor=factor):
            return op.Mul(dy, factor)

    model = model_of("y = own.Scaled<by=1.0>(x)", SCALED)
    np.testing.assert_allclose(derivative_of(model), np.full_like(X, 4))
    nondifferentiable("own", "Scaled", reason="now without")
    np.testing.assert_allclose(derivative_of(model), np.zeros_like(X))
    gradient("own", "Scaled")(scaled)
    np.testing.assert_allclose(derivative_of(model), np.full_like(X, 4))


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_rules_of_the_standard_cannot_be_replaced(domain, own_registry):
    with pytest.raises(
        ValueError, match=r"Add .*already has a gradient rule in seqonnx. For anoth"
    ):
        gradient(domain, "Add")(lambda op, node, dy: dy)
    with pytest.raises(ValueError, match="Floor"):
        nondifferentiable(domain, "Floor", reason="again")


def test_operator_of_ones_own_domain_is_kept_where_its_value_is_needed(own_registry):
    model = model_of("y = own.Magic(x)", "")
    with pytest.raises(GradientError, match=r"`@seqonnx.autodiff.gradient\(\"own\", \"Magic\"\)`"):
        gradients(model, "y", ["x"])
    gradient("own", "Magic")(lambda op, node, dy: op.Mul(dy, node.outputs[0]))
    found = gradients(model, "y", ["x"])
    assert [n.op_type for n in found.graph.node if n.domain == "own"] == ["Magic"]
    assert {(s.domain, s.version) for s in found.opset_import} == {("", OPSET), ("own", 1)}
    gradient("own", "Magic")(lambda op, node, dy: op.Mul(dy, 2.0))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.Clear()  # a single number: its shape need not be read
    (dx,) = run(gradients(model, "y", ["x"]), which=np.array(True), x=np.array(3.0))
    assert dx == 2.0


@pytest.mark.parametrize("opset", [17, OPSET])
def test_result_of_an_unknown_operator_needs_a_type(opset, own_registry):
    gradient("own", "Magic")(lambda op, node, dy: op.Mul(dy, 2.0))
    model = model_of("h = own.Magic(x)\n g = Sum(h)\n y = Mul(g, x)", "", opset)
    model.graph.node[2].name = "net/Mul"
    with pytest.raises(GradientError) as error:
        gradients(model, "y", ["x"])
    assert str(error.value) == (
        "The dtype of 'g', which node 'net/Mul' (Mul) reads, is unknown, and so is whether "
        "a gradient can pass it. Declare it in the `value_info` of the graph "
        "(`onnx.helper.make_tensor_value_info`)."
    )
    info = onnx.helper.make_tensor_value_info("h", onnx.TensorProto.DOUBLE, ["N", 3])
    model.graph.value_info.append(info)
    found = gradients(model, "y", ["x"])
    assert [node.op_type for node in found.graph.node].count("Magic") == 1


def test_function_that_cannot_be_expanded_is_named(scaled_by_rule):
    loop = "<own> A (a) => (b) { b = own.B(a) }\n<own> B (a) => (b) { b = own.A(a) }"
    with pytest.raises(ModelFileError, match="A function of the model cannot be expanded: "):
        gradients(model_of("y = own.A(x)", loop), "y", ["x"])


def test_function_is_compiled_to_the_pinned_set_with_its_attributes(scaled_by_rule):
    body = """<own> Scaled <by: float = 2.0> (a) => (b) {
        m = ReduceMean <axes=[1]> (a)
        c = Sub(a, m)
        f = Constant<value_float: float=@by>()
        d = CastLike(f, a)
        b = Mul(c, d) }"""
    model = model_of("h = own.Scaled<by=3.0>(x)\n y = Mul(h, h)", body, 17)
    (found,) = run(gradients(model, "y", ["h"]), which=np.array(True), x=X)
    np.testing.assert_allclose(found, 2 * 3 * (X - X.mean(1, keepdims=True)))


@pytest.mark.parametrize(
    "declare", ["gradient('', 'Relu')(print)", "nondifferentiable('', 'Relu', reason='no')"]
)
def test_rules_of_the_standard_cannot_be_replaced_before_they_are_loaded(declare):
    """In a process of its own, where nothing has been differentiated yet."""
    code = f"""
from seqonnx.autodiff import gradient, nondifferentiable
from seqonnx.autodiff.ledger import ledger
try:
    {declare}
except ValueError as error:
    print(error)
print({{entry.op_type: entry.state for entry in ledger()}}["Relu"])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    refused, state = result.stdout.splitlines()
    assert "Relu" in refused
    assert state == "rule"
