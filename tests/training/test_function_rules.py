"""`fit` of a network from a file uses the gradient rules of the functions that the file calls."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx
from seqonnx import GradientTape, layers, load_model, optimizers
from seqonnx.autodiff import gradient, nondifferentiable
from seqonnx.errors import GradientError, ModelFileError
from seqonnx.graph import OPSET
from support.sessions import own_registry

__all__ = ["own_registry"]

X = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5]], np.float32)
WEIGHTS = np.array([1.0, 2.0, -1.0], np.float32)
H = X * WEIGHTS
SCALED = """<own> Scaled <by: float = 2.0> (a) => (b) {
    f = Constant<value_float: float=@by>()
    d = CastLike(f, a)
    e = Mul(a, a)
    b = Mul(e, d) }"""
COPY = "<own> Scaled <by: float = 2.0> (a) => (b) { b = Identity(a) }"


def file_of(
    nodes: str, functions: str = SCALED, *, batch: str = "N", opset: int = OPSET
) -> onnx.ModelProto:
    """A network with three weights `w` that gives `y`; `h` is the data times the weights."""
    own = f'<domain: "own", opset_import: ["": {opset}, "own": 1]>'
    return onnx.parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["": {opset}, "own": 1]>
        net (float[{batch}, 3] x) => (float[{batch}, 3] y) <float[3] w = {{1.0, 2.0, -1.0}}>
        {{ h = Mul(x, w)
           {nodes} }}
        {functions.replace("<own>", own)}
        """
    )


def gradient_in_fit(layer: layers.ONNXModel) -> np.ndarray:
    """The gradient of the sum of the outputs, from how far a step of SGD moves the weights."""
    model = seqonnx.Sequential([layer])
    model.compile(optimizers.SGD(1.0), lambda op, y_true, y_pred: op.ReduceSum(y_pred, [-1]))
    before = model.get_weights()[0]
    model.train_on_batch(X, np.zeros_like(X))
    return (before - model.get_weights()[0]) * len(X)  # the loss is the mean over the batch


@pytest.fixture
def by_rule(own_registry):
    """A rule that can be told from the truth: it is ten times too large."""

    @gradient("own", "Scaled")
    def scaled(op, node, dy):
        by = node.attributes.get_float("by", 2.0)
        return op.Mul(dy, op.Mul(node.inputs[0], 20.0 * by))


def summed(gradient_of_h: np.ndarray) -> np.ndarray:
    return (X * gradient_of_h).sum(0)


NODES = {
    "call": ("y = own.Scaled<by=3.0>(h)", 60 * H),
    "call of a call": (
        "g = own.Scaled<by=3.0>(h)\n y = own.Scaled(g)",
        (40 * 3 * H**2) * (60 * H),
    ),
    "value used beside the call": (
        "s = own.Scaled<by=3.0>(h)\n y = Mul(s, h)",
        3 * H**2 + 60 * H**2,
    ),
    "two calls on one value": (
        "s = own.Scaled<by=1.0>(h)\n t = own.Scaled<by=3.0>(h)\n y = Add(s, t)",
        80 * H,
    ),
    "call on a copy": ("c = Identity(h)\n y = own.Scaled<by=3.0>(c)", 60 * H),
}


@pytest.mark.parametrize("batch", ["N", "2"])
@pytest.mark.parametrize("opset", [17, OPSET])
@pytest.mark.parametrize("case", NODES)
def test_rule_wins_over_the_body(case, opset, batch, by_rule):
    nodes, want = NODES[case]
    layer = layers.ONNXModel(file_of(nodes, batch=batch, opset=opset))
    np.testing.assert_allclose(gradient_in_fit(layer), summed(want), rtol=1e-5)


def test_values_and_files_are_those_of_the_body(by_rule, tmp_path):
    layer = layers.ONNXModel(file_of("y = own.Scaled<by=3.0>(h)"))
    model = seqonnx.Sequential([layer])
    np.testing.assert_allclose(model.predict(X, verbose=0), 3 * H**2, rtol=1e-6)
    written = model.to_onnx()
    assert [node.op_type for node in written.graph.node] == ["Mul", "Mul", "Mul"]
    assert written.graph.metadata_props == []
    assert [entry.domain for entry in written.opset_import] == [""]


def test_function_that_only_copies_keeps_its_rule(own_registry):
    """A reversed gradient: what the body computes cannot be told from its input."""
    gradient("own", "Scaled")(lambda op, node, dy: op.Neg(dy))
    layer = layers.ONNXModel(file_of("g = own.Scaled(h)\n y = Add(g, h)", COPY))
    np.testing.assert_allclose(gradient_in_fit(layer), np.zeros(3), atol=1e-6)
    layer = layers.ONNXModel(file_of("y = own.Scaled(h)", COPY))
    np.testing.assert_allclose(gradient_in_fit(layer), -summed(np.ones_like(X)), rtol=1e-5)


@pytest.mark.parametrize("body", ["s = own.Scaled<by=1.0>(a)\n b = Neg(s)", "b = own.Scaled(a)"])
def test_inner_function_is_found_and_the_outer_rule_wins(body, by_rule):
    functions = f"<own> Outer (a) => (b) {{ {body} }}\n{SCALED}"
    want = -20 * H if "Neg" in body else 40 * H
    found = gradient_in_fit(layers.ONNXModel(file_of("y = own.Outer(h)", functions)))
    np.testing.assert_allclose(found, summed(want), rtol=1e-5)
    gradient("own", "Outer")(lambda op, node, dy: op.Mul(dy, 7.0))
    found = gradient_in_fit(layers.ONNXModel(file_of("y = own.Outer(h)", functions)))
    np.testing.assert_allclose(found, summed(np.full_like(X, 7)), rtol=1e-5)


def test_rule_sees_all_inputs_and_outputs_of_a_call(own_registry):
    """Whole numbers, one that is left out, an output that nothing uses."""
    seen: list[ir.Node] = []

    @gradient("own", "Both")
    def both(op, node, dd, de):
        seen.append(node)
        assert dd is None
        return op.Mul(de, 5.0), None

    body = (
        "<own> Both (a, c, axes) => (d, e) { d = Neg(a)\n s = ReduceSum(a, axes)\n e = Add(a, s) }"
    )
    nodes = "axes = Constant<value_ints=[1]>()\n d, y = own.Both(h, , axes)"
    found = gradient_in_fit(layers.ONNXModel(file_of(nodes, body)))
    np.testing.assert_allclose(found, summed(np.full_like(X, 5)), rtol=1e-5)
    (node,) = seen
    assert [None if v is None else str(v.dtype) for v in node.inputs] == ["FLOAT", None, "INT64"]
    assert str(node.inputs[0].shape) == "[2,3]"
    assert ir.convenience.get_const_tensor(node.inputs[2]).numpy().tolist() == [1]


def test_saved_model_goes_on_with_the_rule_and_refuses_without_it(by_rule, tmp_path, monkeypatch):
    from seqonnx.autodiff import registry

    layer = layers.ONNXModel(file_of("y = own.Scaled<by=3.0>(h)"))
    seqonnx.Sequential([seqonnx.Input((3,)), layer]).save(tmp_path / "model.onnx")
    loaded = load_model(tmp_path / "model.onnx").layers[0]
    np.testing.assert_allclose(gradient_in_fit(loaded), summed(60 * H), rtol=1e-5)
    monkeypatch.setattr(registry, "_rules", {})
    loaded = load_model(tmp_path / "model.onnx")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), 3 * H**2, rtol=1e-6)
    with pytest.raises(GradientError, match=r'register a rule with .*gradient\("own", "Scaled"\)'):
        gradient_in_fit(loaded.layers[0])


def test_function_that_is_declared_to_have_no_gradient_is_refused(own_registry):
    nondifferentiable("own", "Scaled", reason="a test says so")
    with pytest.raises(GradientError, match=r"Scaled.*no gradient: a test says so"):
        gradient_in_fit(layers.ONNXModel(file_of("y = own.Scaled(h)")))


def test_rule_is_used_where_the_body_has_no_gradient(own_registry):
    """A straight-through estimator: rounding forward, a copy backward."""
    gradient("own", "Rounded")(lambda op, node, dy: dy)
    body = "<own> Rounded (a) => (b) { b = Round(a) }"
    layer = layers.ONNXModel(file_of("y = own.Rounded(h)", body))
    np.testing.assert_allclose(gradient_in_fit(layer), summed(np.ones_like(X)), rtol=1e-5)
    np.testing.assert_array_equal(
        seqonnx.Sequential([layer]).predict(X, verbose=0), np.round(X * layer.get_weights()[0])
    )


def test_tape_uses_the_rule(by_rule):
    layer = layers.ONNXModel(file_of("y = own.Scaled<by=3.0>(h)"))
    (weights,) = layer.trainable_weights

    @seqonnx.function
    def slope(x):
        with GradientTape() as tape:
            y = layer(x)
        return tape.gradient(y, weights)

    np.testing.assert_allclose(slope(X), summed(60 * H), rtol=1e-5)


def test_call_between_transposes_keeps_its_rule(by_rule):
    """Passes cancel the Transposes around it, and go through its body."""
    file = file_of("r = Relu(h)\n y = own.Scaled<by=3.0>(r)")
    for value in (*file.graph.input, *file.graph.output):
        value.type.CopyFrom(onnx.helper.make_tensor_type_proto(1, ["N", 2, 2, 3]))
    layer = layers.ONNXModel(file)
    stack = [layers.Permute((2, 3, 1)), layers.ReLU(), layers.Permute((3, 1, 2))]
    model = seqonnx.Sequential([seqonnx.Input((2, 2, 3)), *stack, layer, *stack])
    model.compile(optimizers.SGD(1.0), lambda op, t, p: op.ReduceSum(p, [1, 2, 3], keepdims=0))
    x = np.abs(np.random.default_rng(0).normal(size=(1, 2, 2, 3))).astype(np.float32)
    before = model.get_weights()[0]
    model.train_on_batch(x, np.zeros_like(x))
    want = (x * 60 * np.maximum(x * WEIGHTS, 0)).sum((0, 1, 2))
    np.testing.assert_allclose(before - model.get_weights()[0], want, rtol=1e-4)


def test_call_in_a_branch_is_refused(by_rule):
    nodes = """c = Constant<value_int=1>()
        which = Cast<to=9>(c)
        y = If (which) <
            then_branch = yes () => (float[N, 3] t) { t = own.Scaled<by=1.0>(h) },
            else_branch = no () => (float[N, 3] e) { e = Neg(h) } >"""
    with pytest.raises(ModelFileError, match=r"'Scaled' \(domain 'own'\) in the body of an If"):
        layers.ONNXModel(file_of(nodes))


def test_damaged_note_is_refused(by_rule):
    layer = layers.ONNXModel(file_of("y = own.Scaled<by=3.0>(h)"))
    layer._foreign.graph.metadata_props["seqonnx.calls"] = "%"
    with pytest.raises(ModelFileError, match="the note of its function calls is damaged"):
        layers.ONNXModel.from_config(layer.get_config())
