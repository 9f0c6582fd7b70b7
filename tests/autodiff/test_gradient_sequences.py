"""Sequences and optionals whose structure is known are differentiated through their tensors.

Models are written in ONNX's text format and run in float64 on ONNX Runtime (the reference evaluator
lacks SequenceMap with several inputs): the gradient of sum(y) against central differences of the
model's own output.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

from seqonnx.autodiff import gradients
from seqonnx.errors import GradientError
from support.autodiff.gradient_check import run_onnxruntime

X, Z = (np.random.default_rng(3).normal(size=(3, 4)) for _ in range(2))
Z = Z[::-1] + 0.5


def model_of(body: str, inputs: str = "double[3,4] x, double[3,4] z") -> onnx.ModelProto:
    """A model of x and z with the output y."""
    text = f'<ir_version: 10, opset_import: ["" : 21]> g ({inputs}) => (double y) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.Clear()
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return model


def run(model: onnx.ModelProto, feeds: dict) -> list:
    return run_onnxruntime(model, [output.name for output in model.graph.output], feeds)


def check(model: onnx.ModelProto, feeds: dict, output: str = "y") -> None:
    """Gradients of the sum of `output` against differences along random directions."""
    model.graph.output[0].name = output
    found = run(gradients(model, output, list(feeds)), feeds)
    rng = np.random.default_rng(1)
    for (name, array), gradient in zip(feeds.items(), found, strict=True):
        direction = rng.normal(size=array.shape)
        ahead, behind = (
            float(run(model, {**feeds, name: array + s * 1e-5 * direction})[0].sum())
            for s in (1, -1)
        )
        numeric = (ahead - behind) / 2e-5
        assert gradient.shape == array.shape
        assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=1e-6, abs=1e-6)


TAKE = "p = Constant<value_int = {}>() "
SQUARE = "q = Mul(part, part) w = Exp(q) y = Mul(w, x)"
CASES = {
    "at": TAKE.format(1) + "s = SequenceConstruct(x, z) part = SequenceAt(s, p) " + SQUARE,
    "at-negative": TAKE.format(-2) + "s = SequenceConstruct(z, x) part = SequenceAt(s, p)" + SQUARE,
    "insert-end": TAKE.format(1)
    + "e = SequenceEmpty<dtype = 11>() t = SequenceInsert(e, x) s = SequenceInsert(t, z)"
    + "part = SequenceAt(s, p) "
    + SQUARE,
    "insert-at": TAKE.format(0)
    + "s = SequenceConstruct(x, x) t = SequenceInsert(s, z, p) part = SequenceAt(t, p) "
    + SQUARE,
    "erase": TAKE.format(0)
    + "s = SequenceConstruct(x, z) t = SequenceErase(s, p) part = SequenceAt(t, p) "
    + SQUARE,
    "erase-last": TAKE.format(1)
    + "s = SequenceConstruct(x, z, x) t = SequenceErase(s) part = SequenceAt(t, p) "
    + SQUARE,
    "concat": "s = SequenceConstruct(x, z) c = ConcatFromSequence<axis = 1>(s) y = Mul(c, c)",
    "stack": "s = SequenceConstruct(x, z) c = ConcatFromSequence<axis = -1, new_axis = 1>(s) "
    "m = Mul(c, c) y = Sin(m)",
    "split-ones": TAKE.format(2)
    + "s = SplitToSequence(x) part = SequenceAt(s, p) q = Mul(part, z) y = Exp(q)",
    "split-squeezed": TAKE.format(3)
    + "s = SplitToSequence<axis = 1, keepdims = 0>(x) part = SequenceAt(s, p) u = Sin(z) "
    + "v = Transpose(u) y = Mul(part, v)",
    "split-chunks": "k = Constant<value_int = 3>() s = SplitToSequence<axis = 1>(x, k) "
    "p = Constant<value_int = 1>() o = Constant<value_int = 0>() a = SequenceAt(s, p) "
    "b = SequenceAt(s, o) m = Mul(a, b) c = Concat<axis = 1>(m, z) y = Mul(c, c)",
    "split-sizes": "k = Constant<value_ints = [1, 2]>() s = SplitToSequence(x, k) "
    "p = Constant<value_int = 1>() part = SequenceAt(s, p) w = Exp(part) "
    "n = ReduceSum(w) y = Mul(n, z)",
    "split-joined": "s = SplitToSequence<axis = 1>(x) c = ConcatFromSequence<axis = 0>(s) "
    "m = Mul(c, c) n = ReduceMean(m) y = Mul(n, z)",
    "map": "s = SplitToSequence(x) m = SequenceMap <body = b (double[1,4] e) => (double[1,4] r) "
    "{ f = Exp(e) r = Mul(f, z1) }> (s) c = ConcatFromSequence<axis = 0>(m) y = Mul(c, z)",
    "map-two": "s = SequenceConstruct(x, z) t = SequenceConstruct(z, z) "
    "m, n = SequenceMap <body = b (double[3,4] e, double[3,4] f, double[3,4] g) => "
    "(double[3,4] r, double[3,4] h) { r = Mul(e, f) k = Mul(f, g) h = Sin(k) }> (s, t, x) "
    "c = ConcatFromSequence<axis = 0>(m) d = ConcatFromSequence<axis = 0>(n) y = Mul(c, d)",
    "optional": "o = Optional(x) part = OptionalGetElement(o) q = Exp(part) y = Mul(q, z)",
    "optional-plain": "part = OptionalGetElement(x) q = Exp(part) y = Mul(q, z)",
    "optional-sequence": TAKE.format(1)
    + "s = SequenceConstruct(x, z) o = Optional(s) i = Identity(o) t = OptionalGetElement(i) "
    + "part = SequenceAt(t, p) "
    + SQUARE,
    "length": "s = SequenceConstruct(x, z) n = SequenceLength(s) f = CastLike(n, x) "
    "c = ConcatFromSequence<axis = 0>(s) m = Mul(c, c) y = Mul(m, f)",
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_agrees_with_finite_differences(name):
    body = CASES[name].replace("z1", "x1")
    if name == "map":
        body = "r0 = ReduceMean<keepdims = 1>(z) x1 = Exp(r0) " + body
    check(model_of(body), {"x": X, "z": Z})


def test_pieces_of_sizes_that_a_run_knows():
    """Their number is known, and that is enough."""
    model = model_of(
        "s = SplitToSequence(x, k) p = Constant<value_int = 1>() part = SequenceAt(s, p) "
        "m = Mul(part, part) y = Exp(m)",
        "double[3,4] x, int64[2] k",
    )
    grad = gradients(model, "y", ["x"])
    x, sizes = X[:, :], np.array([1, 2])
    (found,) = run(grad, {"x": x, "k": sizes})
    wanted = 2 * x * np.exp(x**2)
    wanted[:1] = 0
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_unknown_batch():
    model = model_of(
        "s = SequenceConstruct(x, z) c = ConcatFromSequence<axis = 1>(s) y = Mul(c, c)",
        "double[n,4] x, double[n,4] z",
    )
    check(model, {"x": X, "z": Z})


def test_sequence_inside_a_branch():
    model = model_of(
        "c = Constant<value = bool {1}>() y = If (c) <"
        "then_branch = a () => (double[3,4] r) { s = SequenceConstruct(x, z) "
        "p = Constant<value_int = 1>() t = SequenceAt(s, p) r = Exp(t) },"
        "else_branch = b () => (double[3,4] q) { q = Identity(x) }>"
    )
    (found,) = run(gradients(model, "y", ["z"]), {"x": X, "z": Z})
    np.testing.assert_allclose(found, np.exp(Z), rtol=1e-12)


ACCUMULATED = (
    "n = Constant<value_int = 3>() c = Constant<value = bool {1}>() "
    "e = SequenceEmpty<dtype = 11>() s = Loop (n, c, e) <body = b (int64 i, bool g, "
    "seq(double[3,4]) before) => (bool h, seq(double[3,4]) after) "
    "{ h = Identity(g) v = Mul(x, z) after = SequenceInsert(before, v) }> "
    "y = ConcatFromSequence<axis = 0>(s)"
)


@pytest.mark.parametrize(
    ("body", "inputs", "obstacle"),
    [
        (
            "s = SequenceConstruct(x, z) part = SequenceAt(s, k) y = Exp(part)",
            "double[3,4] x, double[3,4] z, int64 k",
            "position 'k' of node",
        ),
        (
            "s = SplitToSequence(x) y = ConcatFromSequence<axis = 0>(s)",
            "double[n,4] x, double[3,4] z",
            "'x' of shape [n,4], split by node",
        ),
        (
            "v = SequenceInsert(u, x) p = Constant<value_int = 0>() y = SequenceAt(v, p)",
            "seq(double[3,4]) u, double[3,4] x",
            "'u', an input of the graph or a value from outside of it",
        ),
        (ACCUMULATED, "double[3,4] x, double[3,4] z", "'s', an output of Loop"),
    ],
    ids=["position", "pieces", "input", "loop"],
)
def test_what_is_not_static_is_refused_with_the_reason(body, inputs, obstacle):
    with pytest.raises(GradientError) as caught:
        gradients(model_of(body, inputs), "y", ["x"])
    assert obstacle in str(caught.value)
    assert "needs a sequence or optional whose structure is known before the run" in str(
        caught.value
    )
    assert "use tensors: Concat, Split, Gather, or the scan outputs of a Loop" in str(caught.value)


def test_loop_with_a_sequence_as_state_is_refused():
    model = model_of(
        "n = Constant<value_int = 3>() c = Constant<value = bool {1}>() "
        "e = SequenceConstruct(x) s, y = Loop (n, c, e) <body = b (int64 i, bool g, "
        "seq(double[3,4]) before) => (bool h, seq(double[3,4]) after, double[3,4] r) "
        "{ h = Identity(g) v = Mul(x, z) after = SequenceInsert(before, v) "
        "r = SequenceAt(before, i) }>"
    )
    with pytest.raises(GradientError, match="needs states that are tensors"):
        gradients(model, "y", ["z"])
