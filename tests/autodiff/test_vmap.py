"""`vmap`, `value_and_grad` and kept outputs: equal to the model itself, one element at a time."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import gradients, value_and_grad, vjp, vmap
from support.importers.networks import noise, plain

HEAD = '<ir_version: 10, opset_import: ["": 21]>'


def parsed(inputs: str, outputs: str, nodes: str, more: str = "") -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"{HEAD} net ({inputs}) => ({outputs}) {more} {{ {nodes} }}")
    return onnx.shape_inference.infer_shapes(model)


def checked(model: onnx.ModelProto, in_axes, *arrays: np.ndarray, scans: int | None = 0) -> None:
    """Compare with the model on each element alone; arrays have the new axis where it is."""
    many = vmap(model, in_axes)
    onnx.checker.check_model(many, full_check=True)
    assert scans in {None, sum(node.op_type == "Scan" for node in many.graph.node)}
    axes = in_axes if isinstance(in_axes, list) else [in_axes] * len(arrays)
    size = next(a.shape[x] for a, x in zip(arrays, axes, strict=True) if x is not None)
    alone = [
        plain(
            model,
            *(a if x is None else np.take(a, i, x) for a, x in zip(arrays, axes, strict=True)),
        )
        for i in range(size)
    ]
    for made, parts in zip(plain(many, *arrays), zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(made, np.stack(parts), rtol=1e-5, atol=1e-6)


CASES = {
    "broadcast": ("float[3] a, float[2, 3] b", "s = Add(a, b) t = Tanh(s) y = Mul(t, a)", 0),
    "product": ("float[2, 3] a, float[3, 4] b", "m = MatMul(a, b) y = Softmax<axis = 0> (m)", 0),
    "stack": ("float[2, 2, 3] a, float[3, 2] b", "y = MatMul(a, b)", 0),
    "vector product": ("float[3] a, float[3, 2] b", "y = MatMul(a, b)", 1),
    "gemm": (
        "float[3, 2] a, float[4, 3] b",
        "c = Constant<value = float[4] {1, 2, 3, 4}> () y = Gemm<transA = 1, transB = 1, "
        "alpha = 0.5, beta = 2.0> (a, b, c)",
        0,
    ),
    "reduction": (
        "float[2, 3] a, float[2, 3] b",
        "i = Constant<value = int64[1] {1}> () r = ReduceSum<keepdims = 0> (a, i) "
        "m = ReduceMax<keepdims = 0> (b) y = Sub(r, m)",
        0,
    ),
    "arranging": (
        "float[2, 6] a, float[2, 6] b",
        "s = Constant<value = int64[3] {0, 3, -1}> () r = Reshape(a, s) "
        "t = Transpose<perm = [1, 0, 2]> (r) u = Reshape(b, s) v = Transpose<perm = [1, 0, 2]> (u) "
        "c = Concat<axis = -1> (t, v) i = Constant<value = int64[1] {0}> () "
        "e = Unsqueeze(c, i) z = Squeeze(e, i) p, q = Split<axis = 0, num_outputs = 2> (z) "
        "o = Constant<value = int64[1] {1}> () l = Slice(p, i, o, o) y = Neg(l)",
        0,
    ),
    "sizes": (
        "float[2, 3] a, float[2, 3] b",
        "s = Shape<start = 1> (a) n = Cast<to = 1> (s) y = Div(b, n)",
        0,
    ),
    "general": ("float[2, 3] a, float[2, 3] b", "c = CumSum(a, b0) y = Add(c, b)", None),
    "body": (
        "float[2, 3] a, float[2, 3] b",
        "t = ReduceSum<keepdims = 0> (a) z = Constant<value = float {0}> () g = Greater(t, z) "
        "y = If (g) <then_branch = yes () => (float[2, 3] u) { u = Mul(b, t) }, "
        "else_branch = no () => (float[2, 3] v) { v = Identity(b) }>",
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("in_axes", [[0, 0], [None, -1], [1, None]])
def test_many_are_computed_as_one_is(case, in_axes):
    inputs, nodes, scans = CASES[case]
    more = "<int64 b0 = {1}>" if case == "general" else ""
    model = parsed(inputs, "float y", nodes, more)
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input]
    arrays = []
    for shape, axis in zip(shapes, in_axes, strict=True):
        if axis is not None:
            shape.insert(axis % (len(shape) + 1), 3)
        arrays.append(noise(*shape))
    checked(model, in_axes, *arrays, scans=scans)


def test_operators_with_a_batch_of_their_own_take_the_new_axis_into_it():
    model = parsed(
        "float[2, 1, 4, 4] x",
        "float[2, 3] y",
        "c = Conv<pads = [1, 1, 1, 1]> (x, k, b) r = Relu(c) "
        "p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]> (r) g = GlobalAveragePool(p) "
        "i = Constant<value = int64[2] {2, 3}> () y = Squeeze(g, i)",
        "<float[3, 1, 3, 3] k = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 0, 1, 0, 1, 0, 1, 0, 1, 9, 8, 7, 6,"
        " 5, 4, 3, 2, 1}, float[3] b = {1, -1, 0}>",
    )
    checked(model, 0, noise(3, 2, 1, 4, 4), scans=0)
    checked(model, -1, noise(2, 1, 4, 4, 3), scans=0)


def test_a_network_is_mapped_over_its_inputs_and_gives_jacobians():
    network = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)]
    )
    x = noise(5, 6, 3)
    one = network.to_onnx()
    name, output = one.graph.input[0].name, one.graph.output[0].name
    many = vmap(network)
    expected = network.predict(x.reshape(30, 3), verbose=0).reshape(5, 6, 2)
    np.testing.assert_allclose(plain(many, x)[0], expected, rtol=1e-5, atol=1e-6)
    # Row by row: the cotangents are the unit vectors, the input is the same for all.
    rows = vmap(vjp(network, output, name), {f"cotangent/{output}": 0})
    point = x[0, :1]
    jacobian = plain(rows, point, np.eye(2, dtype=np.float32)[:, None])[0][:, 0]
    w1, b1, w2, _ = network.get_weights()
    slope = 1 - np.tanh(point @ w1 + b1) ** 2
    np.testing.assert_allclose(jacobian, (w2.T * slope) @ w1.T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("in_axes", "why"),
    [
        (None, "maps none of the inputs"),
        ({"c": 0}, r"names \['c'\], which the model has no inputs for; they are \['a', 'b'\]"),
        ([0], "an entry for each of the 2 inputs"),
        (3, r"input 'a' of the model over axis 3; with the new axis it has 2"),
    ],
)
def test_axes_that_fit_no_input_are_refused(in_axes, why):
    model = parsed("float[3] a, float[2, 3] b", "float y", "y = Add(a, b)")
    with pytest.raises(ValueError, match=why):
        vmap(model, in_axes)


ENERGY = ("float[4] r", "float e, float[4] scaled")
NODES = "p = Mul(r, r) scaled = Mul(p, p) e = ReduceSum<keepdims = 0> (scaled)"


def test_energy_and_forces_come_from_one_file():
    model = parsed(*ENERGY, NODES)
    r = noise(4)
    kept = gradients(model, "e", "r", keep_outputs=True)
    assert [value.name for value in kept.graph.output] == ["e", "scaled", "grad/r"]
    energy, scaled, forces = plain(kept, r)
    np.testing.assert_allclose(energy, np.sum(r**4), rtol=1e-6)
    np.testing.assert_allclose(scaled, r**4, rtol=1e-6)
    np.testing.assert_allclose(forces, 4 * r**3, rtol=1e-5)
    both = value_and_grad(model, "p", "r")  # an inner tensor
    assert [value.name for value in both.graph.output] == ["p", "grad/r"]
    value, slope = plain(both, r)
    np.testing.assert_allclose(value, r**2, rtol=1e-6)
    np.testing.assert_allclose(slope, 2 * r, rtol=1e-6)
    itself = value_and_grad(model, "r", "r")
    assert [np.shape(a) for a in plain(itself, r)] == [(4,), (4,)]
