"""Where only a run knows the number of axes, what needs none of them has a gradient."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.autodiff import gradients, vjp
from seqonnx.errors import GradientError
from support.autodiff.gradient_check import run_onnxruntime, run_reference

X = np.array([[1.5, 0.5, -1.0], [2.0, 3.0, 0.7]])
SHAPE = np.array([3, 2])
KINDS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


def model(body: str, dtype: str = "double", version: int = 23) -> onnx.ModelProto:
    """A model whose q is x in a shape that a run gives, with as many axes as that has elements."""
    text = (
        f'<ir_version: 10, opset_import: ["": {version}]>\n'
        f"agraph ({dtype}[2, 3] x, int64[axes] shape) => ({dtype} y) {{\n"
        f"    square = Mul (x, x)\n    q = Reshape (square, shape)\n{body}\n}}"
    )
    return onnx.parser.parse_model(text.replace("value = float", f"value = {dtype}"))


def check(body: str, version: int = 23) -> None:
    """Compare with central differences, and float32 on ONNX Runtime with float64."""
    made, feeds = model(body, version=version), {"x": X, "shape": SHAPE}
    (found,) = run_reference(gradients(made, "y", "x"), ["grad/x"], feeds)
    for i in np.ndindex(X.shape):
        ahead, behind = X.copy(), X.copy()
        ahead[i], behind[i] = X[i] + 1e-6, X[i] - 1e-6
        ends = [run_reference(made, ["y"], {**feeds, "x": a})[0] for a in (ahead, behind)]
        derivative = float(ends[0] - ends[1]) / 2e-6
        assert abs(derivative - found[i]) < 1e-6 * max(1.0, abs(derivative))
    single = gradients(model(body, "float", version), "y", "x")
    feeds = {"x": X.astype(np.float32), "shape": SHAPE}
    (again,) = run_onnxruntime(single, ["grad/x"], feeds)
    np.testing.assert_allclose(again, found, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body",
    [
        "    y = Reduce{}<keepdims = 0> (q)",
        "    all = Reduce{}<keepdims = 1> (q)\n    y = ReduceSum<keepdims = 0> (all)",
        "    all = Reduce{}<noop_with_empty_axes = 1> (q)\n    y = ReduceSum<keepdims = 0> (all)",
        "    last = Constant<value_ints = [-1]> ()\n    rows = Reduce{}<keepdims = 0> (q, last)\n"
        "    y = ReduceSum<keepdims = 0> (rows)",
    ],
    ids=["everything", "keepdims", "nothing", "last"],
)
def test_reductions_need_no_rank(kind: str, body: str) -> None:
    check(body.format(kind))


def test_the_mean_of_squares_of_an_old_file_needs_no_rank() -> None:
    check("    s = Mul (q, q)\n    y = ReduceMean<keepdims = 0> (s)", version=17)


def test_cotangents_of_unknown_rank_are_inputs() -> None:
    made = model("    r = Exp (q)\n    y = ReduceSum<keepdims = 0> (r)", "float")
    u = np.ones((3, 2), np.float32)
    feeds = {"x": X.astype(np.float32), "shape": SHAPE, "cotangent/q": u}
    (found,) = run_onnxruntime(vjp(made, "q", "x"), ["vjp/x"], feeds)
    np.testing.assert_allclose(found, 2 * X, rtol=1e-6)


NEEDING = {
    "MatMul": "    w = Constant<value = float[2, 2] {1, 2, 3, 4}> ()\n    r = MatMul (q, w)",
    "Gather": "    i = Constant<value_ints = [0]> ()\n    r = Gather (q, i)",
    "Slice": "    i = Constant<value_ints = [0]> ()\n    j = Constant<value_ints = [1]> ()\n"
    "    r = Slice (q, i, j)",
    "Tile": "    r = Tile (q, shape)",
    "Pad": "    i = Constant<value_ints = [0, 1, 0, 1]> ()\n    r = Pad (q, i)",
    "LayerNormalization": "    s = Constant<value = float[2] {1, 2}> ()\n"
    "    r = LayerNormalization (q, s)",
    "GlobalAveragePool": "    r = GlobalAveragePool (q)",
    "Split": "    r, b = Split<axis = 1, num_outputs = 2> (q)",
}


@pytest.mark.parametrize("kind", NEEDING)
def test_what_needs_a_rank_names_node_layer_and_remedy(kind: str) -> None:
    made = model(f"{NEEDING[kind]}\n    y = ReduceSum<keepdims = 0> (r)")
    node = next(n for n in made.graph.node if n.op_type == kind)
    node.name = "block/first"
    with pytest.raises(GradientError) as error:
        gradients(made, "y", "x")
    text = str(error.value)
    assert f"The gradient of {kind} (node 'block/first', layer 'block')" in text
    assert "needs the number of axes of '" in text
    assert "Declare its shape in the `value_info` of the graph" in text


@pytest.mark.parametrize("version", [17, 23])
def test_the_remedy_works(version: int) -> None:
    made = model(f"{NEEDING['MatMul']}\n    y = ReduceSum<keepdims = 0> (r)", version=version)
    declared = onnx.helper.make_tensor_value_info("q", onnx.TensorProto.DOUBLE, ["rows", 2])
    made.graph.value_info.append(declared)
    feeds = {"x": X, "shape": SHAPE}
    (found,) = run_reference(gradients(made, "y", "x"), ["grad/x"], feeds)
    share = np.tile([3.0, 7.0], 3).reshape(2, 3)
    np.testing.assert_allclose(found, 2 * X * share)


LOOP = """<ir_version: 10, opset_import: ["": VERSION]>
agraph (float[3] x) => (float y)
DECLARED
{
    n = Constant<value_int = 3> ()
    on = Constant<value = bool {1}> ()
    w = Constant<value = float[3, 2] {1, 2, 3, 4, 5, 6}> ()
    last = Loop <body = step (int64 i, bool c, float STATE s) => (bool c2, float STATE s2) {
        c2 = Identity (c)
        s2 = Mul (s, s)
    }> (n, on, x)
    r = MatMul (last, w)
    y = ReduceSum<keepdims = 0> (r)
}"""


@pytest.mark.parametrize("version", [17, 23])
@pytest.mark.parametrize(("state", "declared"), [("[3]", ""), ("[n]", "<float[3] last>")])
def test_declared_shapes_of_a_loop_count(version: int, state: str, declared: str) -> None:
    text = LOOP.replace("VERSION", str(version)).replace("STATE", state)
    made = onnx.parser.parse_model(text.replace("DECLARED", declared))
    x = np.array([0.5, 1.0, 1.2], np.float32)
    (found,) = run_onnxruntime(gradients(made, "y", "x"), ["grad/x"], {"x": x})
    np.testing.assert_allclose(found, 8 * x**7 * [3, 7, 11], rtol=1e-5)
