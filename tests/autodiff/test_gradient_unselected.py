"""Elements that a Where did not select have the gradient zero, however steep they are there.

Each program computes something that is infinite or NaN at some elements and takes it out with a
Where. At these the result is constant, so the gradient is 0; elsewhere it is that of the program on
elements of the good kind alone, which central differences in float64 give.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.autodiff import gradients, hessian_vector_product, jvp, vjp
from support.autodiff import gradient_check
from support.autodiff.gradient_check import run_onnxruntime

INF = np.inf
ROWS = np.array([[1, 2, 0.5, -1], [-INF] * 4, [-INF, 0, 1, 2]])
ZEROS = np.array([[1, 2, 2, -1], [0] * 4, [3, 0, 4, 0]], np.float64)
SIGNS = np.array([[0, 1, -1, 4], [2, 0, 0, -3], [0, 0, 5, 0]], np.float64)
EXPONENTIALS = """
    top = ReduceMax<keepdims = 1> (x, last)
    moved = Sub (x, top)
    e = Exp (moved)
    total = ReduceSum<keepdims = 1> (e, last)
"""
TAKEN_OUT = "    bad = IsNaN (p)\n    y = Where (bad, zero, p)"
PROGRAMS = {
    "softmax": (ROWS, EXPONENTIALS + "    p = Div (e, total)\n" + TAKEN_OUT),
    "softmax-without-keepdims": (
        ROWS,
        """
    top = ReduceMax<keepdims = 0> (x, last)
    high = Unsqueeze (top, last)
    moved = Sub (x, high)
    e = Exp (moved)
    total = ReduceSum<keepdims = 0> (e, last)
    across = Transpose<perm = [1, 0]> (e)
    share = Div (across, total)
    p = Transpose<perm = [1, 0]> (share)
"""
        + TAKEN_OUT,
    ),
    "softmax-by-reciprocal": (
        ROWS,
        EXPONENTIALS + "    one_of = Reciprocal (total)\n    p = Mul (e, one_of)\n" + TAKEN_OUT,
    ),
    "softmax-operator": (ROWS, "    p = Softmax (x)\n" + TAKEN_OUT),
    "softmax-row-by-row": (
        ROWS,
        """
    p = Softmax (x)
    top = ReduceMax<keepdims = 1> (x, last)
    bad = IsInf (top)
    y = Where (bad, zero, p)""",
    ),
    "softmax-folded": (
        ROWS,
        """
    p = Softmax (x)
    flat = Constant<value_ints = [-1]> ()
    folded = Reshape (p, flat)
    bad = IsNaN (folded)
    kept = Where (bad, zero, folded)
    shape = Shape (x)
    y = Reshape (kept, shape)""",
    ),
    "log-softmax": (
        ROWS,
        EXPONENTIALS
        + """
    logs = Log (total)
    p = Sub (moved, logs)
    none = IsNaN (p)
    low = IsInf (p)
    bad = Or (none, low)
    y = Where (bad, zero, p)""",
    ),
    "log-softmax-operator": (
        ROWS,
        "    p = LogSoftmax (x)\n    size = Abs (p)\n    good = Less (size, large)\n"
        "    y = Where (good, p, zero)",
    ),
    "norm": (
        ZEROS,
        "    n = ReduceL2<keepdims = 1> (x, last)\n    p = Div (x, n)\n" + TAKEN_OUT,
    ),
    "norm-by-square-root": (
        ZEROS,
        """
    square = Mul (x, x)
    total = ReduceSum<keepdims = 1> (square, last)
    n = Sqrt (total)
    p = Div (x, n)
    bad = Equal (n, zero)
    y = Where (bad, zero, p)""",
    ),
    "square-root": (
        SIGNS,
        "    p = Sqrt (x)\n    good = Greater (x, zero)\n    y = Where (good, p, zero)",
    ),
    "reciprocal": (
        SIGNS,
        "    p = Reciprocal (x)\n    bad = Equal (x, zero)\n    y = Where (bad, zero, p)",
    ),
    "quotient": (
        SIGNS,
        "    p = Div (large, x)\n    bad = Equal (x, zero)\n    y = Where (bad, zero, p)",
    ),
    "logarithm": (
        SIGNS,
        "    p = Log (x)\n    good = Greater (x, zero)\n    y = Where (good, p, zero)",
    ),
    "entropy": (
        SIGNS,
        """
    logs = Log (x)
    p = Mul (x, logs)
    good = Greater (x, zero)
    y = Where (good, p, zero)""",
    ),
    "power": (
        SIGNS,
        """
    half = Constant<value = float {-0.5}> ()
    p = Pow (x, half)
    good = Greater (x, zero)
    y = Where (good, p, zero)""",
    ),
    "nested": (
        SIGNS,
        """
    logs = Log (x)
    root = Sqrt (logs)
    positive = Greater (logs, zero)
    first = Where (positive, root, zero)
    good = Greater (x, zero)
    y = Where (good, first, zero)""",
    ),
    "two-ways": (
        SIGNS,
        """
    one_of = Reciprocal (x)
    root = Sqrt (one_of)
    good = Greater (x, zero)
    first = Where (good, one_of, zero)
    second = Where (good, root, zero)
    y = Add (first, second)""",
    ),
    "means-of-what-counts": (
        np.array([[1, 2, 0.5, -1], [0] * 4, [3, 0, 4, 2]]),
        """
    positive = Greater (x, zero)
    ones = CastLike (positive, x)
    kept = Mul (x, ones)
    total = ReduceSum<keepdims = 1> (kept, last)
    count = ReduceSum<keepdims = 1> (ones, last)
    mean = Div (total, count)
    bad = Equal (count, zero)
    filled = Where (bad, zero, mean)
    y = Mul (filled, ones)""",
    ),
}


def run_reference(model, names, feeds):
    """The standard's evaluator, which may divide by zero here."""
    with np.errstate(all="ignore"):
        return gradient_check.run_reference(model, names, feeds)


def program(body: str, dtype: str) -> onnx.ModelProto:
    """A model from x to y."""
    text = """<ir_version: 10, opset_import: ["": 23]>
    agraph (float[rows, 4] x) => (float[a, b] y) {
    zero = Constant<value = float {0.0}> ()
    large = Constant<value = float {1000.0}> ()
    last = Constant<value_ints = [-1]> ()
"""
    return onnx.parser.parse_model(f"{text}{body}\n}}".replace("float", dtype))


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradient_is_zero_where_nothing_was_selected_and_right_elsewhere(name: str) -> None:
    x, body = PROGRAMS[name]
    exact, single = program(body, "double"), program(body, "float")
    u = np.random.default_rng(1).normal(size=x.shape)
    feeds = {"x": x, "cotangent/y": u}
    (found,) = run_reference(vjp(exact, "y", "x"), ["vjp/x"], feeds)
    for i in np.ndindex(x.shape):
        derivative = 0.0
        if moving(name, x, i):
            ahead, behind = x.copy(), x.copy()
            ahead[i], behind[i] = x[i] + 1e-6, x[i] - 1e-6
            ends = [(run_reference(exact, ["y"], {"x": a})[0] * u).sum() for a in (ahead, behind)]
            derivative = (ends[0] - ends[1]) / 2e-6
        assert abs(found[i] - derivative) < 1e-6 * max(1.0, abs(derivative)), i
    feeds = {key: array.astype(np.float32) for key, array in feeds.items()}
    (made,) = run_onnxruntime(vjp(single, "y", "x"), ["vjp/x"], feeds)
    np.testing.assert_allclose(made, found, rtol=1e-4, atol=1e-5)


def moving(name: str, x: np.ndarray, i: tuple[int, ...]) -> bool:
    """Whether the result depends on an element; where it does not, it may jump."""
    if x is SIGNS:
        everywhere = name in ("reciprocal", "quotient")
        above = 1.0 if name == "nested" else 0.0
        return bool(x[i] != 0 if everywhere else x[i] > above)
    if name == "means-of-what-counts":
        return bool(x[i] > 0)
    return bool(np.isfinite(x[i]) and (x[i[0]] != 0).any())


@pytest.mark.parametrize("name", ["softmax", "norm", "square-root", "entropy", "log-softmax"])
def test_products_with_jacobian_and_hessian_are_finite_and_linear(name: str) -> None:
    x, body = PROGRAMS[name]
    exact = program(body, "double")
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=(2, *x.shape))
    (back,) = run_reference(vjp(exact, "y", "x"), ["vjp/x"], {"x": x, "cotangent/y": u})
    (there,) = run_reference(jvp(exact, "y", "x"), ["jvp/y"], {"x": x, "tangent/x": v})
    assert np.isfinite(there).all()
    np.testing.assert_allclose((u * there).sum(), (back * v).sum(), rtol=1e-9)
    assert np.abs(there).max() > 0.1
    bent = hessian_vector_product(exact, "y", "x")
    (curved,) = run_reference(bent, ["hvp/x"], {"x": x, "tangent/x": v})
    assert np.isfinite(curved).all()
    still = [not moving(name, x, i) for i in np.ndindex(x.shape)]
    assert (curved.reshape(-1)[still] == 0).all()


def test_attention_with_a_row_of_minus_infinities_that_is_taken_out() -> None:
    text = """<ir_version: 10, opset_import: ["": 23]>
    agraph (float[1, 1, 2, 3] q, float[1, 1, 3, 3] k, float[1, 1, 3, 3] v, float[2, 3] mask)
        => (float[1, 1, 2, 3] y) {
        across = Transpose<perm = [0, 1, 3, 2]> (k)
        scores = MatMul (q, across)
        masked = Add (scores, mask)
        p = Softmax (masked)
        bad = IsNaN (p)
        zero = Constant<value_float = 0.0> ()
        weights = Where (bad, zero, p)
        y = MatMul (weights, v)
    }"""
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(size=(1, 1, n, 3)).astype(np.float32) for name, n in NAMES}
    feeds["mask"] = np.array([[-INF] * 3, [0, 0, -INF]], np.float32)
    model = gradients(onnx.parser.parse_model(text), "y", ["q", "k", "v"])
    names = ["grad/q", "grad/k", "grad/v"]
    found = run_onnxruntime(model, names, feeds)
    alone = {**feeds, "q": feeds["q"].copy()}
    alone["mask"] = np.array([[0, 0, 0], [0, 0, -INF]], np.float32)
    model = vjp(onnx.parser.parse_model(text), "y", ["q", "k", "v"])
    u = np.ones((1, 1, 2, 3), np.float32)
    u[:, :, 0] = 0
    wanted = run_onnxruntime(model, ["vjp/q", "vjp/k", "vjp/v"], alone | {"cotangent/y": u})
    for made, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(made, right, atol=1e-6)
    assert (found[0][0, 0, 0] == 0).all()


NAMES = (("q", 2), ("k", 3), ("v", 3))


def test_nothing_is_emitted_where_every_derivative_is_finite() -> None:
    """A mask of scores in front of products, as in attention: scaled, not divided by data."""
    text = """<ir_version: 10, opset_import: ["": 23]>
    agraph (float[rows, 4] x, float[4, 4] w, bool[rows, 4] mask) => (float[rows, 4] y) {
        scores = MatMul (x, w)
        shape = Shape<start = 1> (x)
        size = Cast<to = 1> (shape)
        root = Sqrt (size)
        scaled = Div (scores, root)
        low = Constant<value_float = -1e9> ()
        masked = Where (mask, scaled, low)
        y = Softmax (masked)
    }"""
    model = gradients(onnx.parser.parse_model(text), "y", ["x", "w"])
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Where") == 2
    assert not {"Not", "And", "Or", "Expand"} & set(kinds)
