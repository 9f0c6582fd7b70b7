"""Gradients of convolutions, pools and batch normalization equal PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import assert_close, run_onnxruntime

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def ours(emit, *arrays: np.ndarray, device: str = "cpu") -> tuple[list[np.ndarray], np.ndarray]:
    """Gradients on ONNX Runtime with a symbolic batch, and the cotangent used."""
    op = Emitter()
    shapes = [("batch", *arrays[0].shape[1:]), *(a.shape for a in arrays[1:])]
    values = [op.input(f"x{i}", "float32", shape) for i, shape in enumerate(shapes)]
    y = emit(op, *values)
    sizes = [arrays[0].shape[0], *static_shape(y)[1:]]
    dy = np.random.default_rng(3).normal(size=sizes).astype(np.float32)
    seed = op.input("dy", "float32", static_shape(y))
    grads = backward(op, [(y, seed)], values, device=device)
    names = [str(op.output(grad, f"g{i}").name) for i, grad in enumerate(grads)]
    feeds = {f"x{i}": array for i, array in enumerate(arrays)} | {"dy": dy}
    return run_onnxruntime(to_proto(op.graph), names, feeds), dy


def theirs(function, dy: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """Gradients of PyTorch."""
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    function(*leaves).backward(torch.tensor(dy))
    return [leaf.grad.numpy() for leaf in leaves]


def arrays_of(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def compare(emit, function, *arrays: np.ndarray, device: str = "cpu") -> None:
    actual, dy = ours(emit, *arrays, device=device)
    for mine, wanted in zip(actual, theirs(function, dy, *arrays), strict=True):
        assert_close(mine, wanted, 2e-5, "against PyTorch")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("x", "w", "stride", "padding", "dilation", "groups"),
    [
        ((4, 3, 12, 12), (8, 3, 3, 3), 1, 0, 1, 1),
        ((4, 3, 16, 16), (8, 3, 7, 7), 2, 3, 1, 1),
        ((4, 16, 10, 10), (8, 16, 3, 3), 1, 1, 1, 1),
        ((4, 16, 11, 11), (8, 16, 3, 3), 2, 1, 1, 1),
        ((4, 16, 12, 12), (8, 16, 3, 3), 1, 2, 2, 1),
        ((4, 16, 9, 9), (32, 16, 1, 1), 2, 0, 1, 1),
        ((4, 16, 10, 10), (16, 1, 3, 3), 1, 1, 1, 16),
        ((4, 16, 10, 10), (16, 1, 3, 3), 2, 1, 1, 16),
        ((4, 16, 10, 10), (32, 4, 3, 3), 1, 1, 1, 4),
        ((4, 12, 20), (8, 12, 5), 2, 2, 1, 1),
        ((2, 4, 6, 6, 6), (6, 4, 3, 3, 3), 1, 1, 1, 1),
        ((2, 4, 6, 6, 6), (6, 2, 3, 3, 3), 2, 1, 1, 2),
    ],
)
def test_convolution(x, w, stride, padding, dilation, groups, device):
    n = len(x) - 2
    attributes = {
        "strides": [stride] * n,
        "pads": [padding] * (2 * n),
        "dilations": [dilation] * n,
        "group": groups,
    }
    function = getattr(functional, f"conv{n}d")
    compare(
        lambda op, *values: op.Conv(*values, **attributes),
        lambda *leaves: function(*leaves, stride, padding, dilation, groups),
        *arrays_of(x, w, w[:1]),
        device=device,
    )


@pytest.mark.parametrize(("stride", "padding", "extra"), [(1, 0, 0), (2, 1, 1), (3, 0, 2)])
def test_transposed_convolution(stride, padding, extra):
    attributes = {
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "output_padding": [extra] * 2,
        "group": 2,
    }
    compare(
        lambda op, *values: op.ConvTranspose(*values, **attributes),
        lambda *leaves: functional.conv_transpose2d(*leaves, stride, padding, extra, 2),
        *arrays_of((4, 6, 5, 5), (6, 4, 3, 3), (8,)),
    )


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 3, 0)])
def test_max_pool_of_whole_numbers_with_many_ties(size, kernel, stride, padding):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 3, size=(3, 4, size, size)).astype(np.float32)
    attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
    compare(
        lambda op, value: op.MaxPool(value, **attributes),
        lambda leaf: functional.max_pool2d(leaf, kernel, stride, padding),
        x,
    )


@pytest.mark.parametrize("size", [8, 9])
def test_convolution_relu_pool_of_a_picture_with_a_flat_background(size):
    x, w, b = arrays_of((3, 1, size + 2, size + 2), (4, 1, 3, 3), (4,))
    x[:, :, : size // 2] = 0
    actual, dy = ours(
        lambda op, x, w, b: op.MaxPool(
            op.Relu(op.Conv(x, w, b)), kernel_shape=[2, 2], strides=[2, 2]
        ),
        *(x, w, np.abs(b)),
    )
    wanted = theirs(
        lambda x, w, b: functional.max_pool2d(functional.relu(functional.conv2d(x, w, b)), 2),
        dy,
        *(x, w, np.abs(b)),
    )
    for mine, reference in zip(actual[1:], wanted[1:], strict=True):
        assert_close(mine, reference, 2e-5, "weights and bias")


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "ceil", "counting"),
    [
        (2, 2, 0, False, True),
        (3, 2, 1, False, True),
        (3, 2, 1, False, False),
        (3, 1, 1, True, False),
    ],
)
def test_average_pool(kernel, stride, padding, ceil, counting):
    attributes = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [padding] * 4,
        "ceil_mode": int(ceil),
        "count_include_pad": int(counting),
    }
    compare(
        lambda op, value: op.AveragePool(value, **attributes),
        lambda leaf: functional.avg_pool2d(leaf, kernel, stride, padding, ceil, counting),
        *arrays_of((3, 4, 9, 9)),
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shape", [(6, 5, 4, 4), (8, 5), (4, 5, 7)])
def test_batch_normalization_while_training(shape, momentum):
    zeros, ones = np.zeros(5, np.float32), np.ones(5, np.float32)
    compare(
        lambda op, *values: op.BatchNormalization(
            *values, zeros, ones, training_mode=1, momentum=momentum, epsilon=1e-3, _outputs=3
        )[0],
        lambda x, scale, bias: functional.batch_norm(
            x, None, None, scale, bias, training=True, eps=1e-3
        ),
        *arrays_of(shape, (5,), (5,)),
    )


def test_layer_normalization():
    compare(
        lambda op, *values: op.LayerNormalization(*values),
        lambda x, scale, bias: functional.layer_norm(x, (6,), scale, bias),
        *arrays_of((4, 3, 6), (6,), (6,)),
    )
