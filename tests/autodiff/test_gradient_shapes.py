"""Rules with sizes that only a run knows, pools behind other operators, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.errors import GradientError
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import assert_close, run_onnxruntime, run_reference


def gradients(emit, shapes, arrays, *, dtype="float64", reference=True):
    """Gradients of sum(dy * y) and the numeric derivative along a direction, for each input."""
    op = Emitter()
    values = [op.input(f"x{i}", dtype, shape) for i, shape in enumerate(shapes)]
    y = emit(op, *values)
    dy = op.input("dy", dtype, [None] * len(static_shape(y)))
    grads = backward(op, [(y, dy)], values)
    names = [str(op.output(grad, f"g{i}").name) for i, grad in enumerate(grads)]
    y_name = str(op.output(y, "y").name)
    model = to_proto(op.graph)
    run = run_reference if reference else run_onnxruntime
    feeds = {f"x{i}": a.astype(dtype) for i, a in enumerate(arrays)}

    forward = Emitter()
    inputs = [forward.input(f"x{i}", "float64", shape) for i, shape in enumerate(shapes)]
    alone = str(forward.output(emit(forward, *inputs), "y").name)
    proto = to_proto(forward.graph)

    def outputs(moved):
        named = {f"x{i}": a for i, a in enumerate(moved)}
        return run_reference(proto, [alone], named)[0]

    seed = np.random.default_rng(0).normal(size=outputs(arrays).shape)
    made = run(model, [*names, y_name], feeds | {"dy": seed.astype(dtype)})[:-1]
    for i, grad in enumerate(made):
        direction = np.random.default_rng(i).normal(size=grad.shape)
        ahead, behind = list(arrays), list(arrays)
        ahead[i], behind[i] = ahead[i] + 1e-5 * direction, behind[i] - 1e-5 * direction
        derivative = ((outputs(ahead) - outputs(behind)) / 2e-5 * seed).sum()
        assert_close(np.array((grad * direction).sum()), np.array(derivative), 1e-5, f"input {i}")
    return made


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 1, 1, 1]},
        {"strides": [2, 2], "pads": [1, 1, 0, 0]},
        {"dilations": [2, 2]},
        {"auto_pad": "SAME_UPPER"},
    ],
)
@pytest.mark.parametrize("group", [1, 2])
def test_convolution_of_pictures_of_any_size(attributes, group):
    gradients(
        lambda op, x, w: op.Conv(x, w, group=group, **attributes),
        [("batch", 4, "height", "width"), (6, 4 // group, 3, 3)],
        [normal(2, 4, 6, 7), normal(6, 4 // group, 3, 3)],
    )


@pytest.mark.parametrize(
    "emit",
    [
        lambda op, x: op.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2]),
        lambda op, x: op.GlobalAveragePool(x),
        lambda op, x: op.GlobalMaxPool(x),
        lambda op, x: op.InstanceNormalization(x, np.ones(3), np.zeros(3)),
        lambda op, x: op.ReduceMean(x, [2, 3]),
        lambda op, x: op.Reshape(x, op.Concat(op.Shape(x, end=1), [-1], axis=0)),
        lambda op, x: op.Slice(x, [1, 0], [3, -1], [2, 3], [1, 2]),
        lambda op, x: op.Concat(x, op.Relu(x), axis=2),
        lambda op, x: op.Pad(x, [1, 2, 0, 1], None, [2, 3]),
        lambda op, x: op.Tile(x, [1, 1, 2, 3]),
        lambda op, x: op.Gather(x, np.array([0, 0, 2]), axis=3),
        lambda op, x: op.Flatten(x, axis=2),
        lambda op, x: op.Softmax(x, axis=2),
    ],
)
def test_sizes_read_in_the_graph(emit):
    gradients(emit, [("batch", 3, "height", "width")], [normal(2, 3, 4, 6)])


@pytest.mark.parametrize("before", ["Relu", "LeakyRelu", "Elu"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (2, 3, 5, 5), (2, 3, 6), (2, 2, 4, 4, 4)])
def test_pool_behind_an_activation(before, shape):
    n = len(shape) - 2
    attributes = {"kernel_shape": [2] * n, "strides": [2] * n}
    gradients(
        lambda op, x: op.MaxPool(op.emit(before, [x], {}), **attributes),
        [("batch", *shape[1:])],
        [normal(*shape)],
    )


def test_elements_that_tie_behind_an_activation_share():
    op = Emitter()
    x = op.input("x", "float32", ("batch", 1, 2, 2))
    y = op.MaxPool(op.Relu(x), kernel_shape=[2, 2], strides=[2, 2])
    (dx,) = backward(op, [(y, op.input("dy", "float32", ("batch", 1, 1, 1)))], [x])
    name = str(op.output(dx, "dx").name)
    feeds = {
        "x": np.array([[[[2, 2], [1, 2]]], [[[-1, 0], [0, -2]]]], np.float32),
        "dy": np.full((2, 1, 1, 1), 3, np.float32),
    }
    (made,) = run_onnxruntime(to_proto(op.graph), [name], feeds)
    assert made.tolist() == [[[[1, 1], [0, 1]]], [[[0, 0], [0, 0]]]]


def test_dropout_that_trains_scales_what_was_kept():
    op = Emitter()
    x = op.input("x", "float32", ("batch", 50))
    y, _ = op.Dropout(x, np.array(0.25, np.float32), np.array(True), seed=3, _outputs=2)
    (dx,) = backward(op, [(y, op.input("dy", "float32", ("batch", 50)))], [x])
    names = [str(op.output(y, "y").name), str(op.output(dx, "dx").name)]
    array = np.random.default_rng(0).uniform(1, 2, size=(4, 50)).astype(np.float32)
    dy = np.random.default_rng(1).normal(size=(4, 50)).astype(np.float32)
    made, grad = run_onnxruntime(to_proto(op.graph), names, {"x": array, "dy": dy})
    assert 0 < (made == 0).sum() < 200
    np.testing.assert_allclose(grad, dy * made / array, rtol=1e-6)


def refusal(emit, *shape):
    op = Emitter()
    x = op.input("x", "float32", shape)
    with op.scope("layer"):
        y = emit(op, x)
    dy = op.input("dy", "float32", [None] * len(static_shape(y)))
    with pytest.raises(GradientError) as error:
        backward(op, [(y, dy)], [x])
    return str(error.value)


def test_unknown_sizes_are_named():
    def emit(op, x):
        w = np.ones((3, 2, 3), np.float32)
        return op.ConvTranspose(x, w, output_shape=[9], strides=[2])

    text = refusal(emit, "batch", 3, "time")
    assert "gradient of ConvTranspose (node 'layer/ConvTranspose')" in text
    assert "axes [2] of 'x'" in text
    assert "Give the model an input shape" in text


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_padding_that_is_computed(mode):
    def emit(op, x):
        return op.Pad(x, op.Mul(op.constant(np.array([0, 1, 0, 2])), 1), mode=mode)

    gradients(emit, [("batch", 4)], [normal(2, 4)])


def test_dropout_without_its_mask_gets_one():
    def emit(op, x):
        return op.Dropout(x, 0.5, np.array(True), seed=3)

    (dx,) = gradients(emit, [(3, 40)], [normal(3, 40)])
    assert 0 < np.count_nonzero(dx) < dx.size


def test_sums_back_where_a_reshape_hides_the_number_of_axes():
    op = Emitter()
    x, y = op.input("x", "float64", (3, 4)), op.input("y", "float64", (2, 3, 1))
    folded = op.Reshape(x, op.input("shape", "int64", ("axes",)))
    assert folded.shape is None
    out, dy = op.Mul(op.Exp(folded), op.Sigmoid(y)), op.input("dy", "float64", (2, 3, 4))
    grads = backward(op, [(out, dy)], [x, y])
    names = [str(op.output(grad, f"g{i}").name) for i, grad in enumerate(grads)]
    feeds = {"x": normal(3, 4), "y": normal(2, 3, 1), "dy": normal(2, 3, 4)}
    dx, dshare = run_reference(to_proto(op.graph), names, feeds | {"shape": np.array([3, 4])})
    share, grown = 1 / (1 + np.exp(-feeds["y"])), np.exp(feeds["x"])
    assert_close(dx, (feeds["dy"] * share * grown).sum(0), 1e-12, "x")
    wanted = (feeds["dy"] * grown).sum(2, keepdims=True) * share * (1 - share)
    assert_close(dshare, wanted, 1e-12, "y")


@pytest.mark.parametrize(
    ("equation", "x_shape", "kernel_shape", "operators"),
    [
        ("abc,cde->abde", (2, 3, 4), (4, 2, 5), {"Gemm"}),
        ("abcd,cde->abe", (2, 3, 4, 2), (4, 2, 5), {"Gemm"}),
        ("abc,cb->ab", (2, 3, 4), (4, 3), {"Einsum"}),
    ],
)
def test_gradient_of_a_kernel_over_several_axes_is_one_product(
    equation, x_shape, kernel_shape, operators
):
    op = Emitter()
    x = op.input("x", "float64", ("batch", *x_shape[1:]))
    kernel = op.input("kernel", "float64", kernel_shape)
    out = op.Einsum(x, kernel, equation=equation)
    count = len(op.graph)
    feeds = {"x": normal(*x_shape), "kernel": normal(*kernel_shape)}
    ones = op.Div(out, out)
    (grad,) = backward(op, [(out, ones)], [kernel])
    name = str(op.output(grad, "g").name)
    (found,) = run_reference(to_proto(op.graph), [name], feeds)
    left, right = equation.split("->")
    wanted = np.einsum(
        f"{right},{left.split(',')[0]}->{left.split(',')[1]}",
        np.ones_like(np.einsum(equation, feeds["x"], feeds["kernel"])),
        feeds["x"],
    )
    assert_close(found, wanted, 1e-12, "kernel")
    made = {node.op_type for node in list(op.graph)[count:]}
    assert made & {"Gemm", "Einsum"} == operators


@pytest.mark.parametrize("equation", ["...ij->...ji", "bii->bi", "bi...->b..."])
def test_einsum_with_sizes_read_in_the_graph(equation):
    gradients(
        lambda op, x: op.Einsum(x, equation=equation), [("batch", "n", "n")], [normal(2, 3, 3)]
    )
