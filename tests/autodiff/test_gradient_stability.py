"""Gradients far from the origin, at zeros, in flat rows: finite, and what calculus says.

In float32 on ONNX Runtime, against closed forms worked out in float64 or by hand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import Case, differentiate, emit, run_onnxruntime

HUGE = 1e4


def gradients(op_type: str, *inputs: object, dy: object = None, **attributes: object) -> list:
    """Float32 gradients on ONNX Runtime of the float inputs, for a gradient `dy` (ones)."""
    arrays = tuple(None if x is None else np.array(x) for x in inputs)
    fixed = tuple(i for i, a in enumerate(arrays) if a is not None and a.dtype != np.float64)
    case = Case(op_type, arrays, dict(attributes), constants=fixed)
    if dy is None:
        op = Emitter()
        _, (y,) = emit(op, case, "float32", symbolic=False)
        dy = np.ones([int(size) for size in static_shape(y)])
    made = differentiate(case, {0: np.array(dy, np.float64)}, case.wanted, "float32", False)
    found = made.run(reference=False)
    assert all(np.isfinite(grad).all() for grad in found)
    return found


def softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


LOGITS = np.array([[HUGE, -HUGE, 0.0], [-HUGE, -HUGE, -HUGE], [HUGE, HUGE, 9999.0]])


def test_softmax_cross_entropy_of_huge_logits():
    labels = np.array([1, 0, 2])
    (dx,) = gradients("SoftmaxCrossEntropyLoss", LOGITS, labels, reduction="sum", dy=1.0)
    np.testing.assert_allclose(dx, softmax(LOGITS) - np.eye(3)[labels], atol=1e-6)


@pytest.mark.parametrize("op_type", ["LogSoftmax", "Softmax"])
def test_softmax_of_huge_logits(op_type):
    dy = np.array([[1.0, -2.0, 0.5]] * 3)
    (dx,) = gradients(op_type, LOGITS, dy=dy, axis=-1)
    p = softmax(LOGITS)
    if op_type == "LogSoftmax":
        wanted = dy - p * dy.sum(axis=1, keepdims=True)
    else:
        wanted = p * (dy - (dy * p).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(dx, wanted, atol=1e-6)


def test_log_sum_exp_of_huge_numbers():
    (dx,) = gradients("ReduceLogSumExp", LOGITS, np.array([1]))
    np.testing.assert_allclose(dx, softmax(LOGITS), atol=1e-6)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


FAR = [-1000.0, -100.0, -30.0, 0.0, 30.0, 100.0, 1000.0]
TAILS = {
    "Sigmoid": lambda x: sigmoid(x) * sigmoid(-x),
    "Softplus": sigmoid,
    "Tanh": lambda x: 1 / math.cosh(x) ** 2 if abs(x) < 300 else 0.0,
    "Erf": lambda x: 2 / math.sqrt(math.pi) * math.exp(-(x**2)),
    "Gelu": lambda x: (
        0.5 * math.erfc(-x / math.sqrt(2)) + x * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    ),
    "Mish": lambda x: float(x > 20) if abs(x) > 20 else 0.6,
    "Softsign": lambda x: 1 / (1 + abs(x)) ** 2,
    "Elu": lambda x: 1.0 if x >= 0 else math.exp(x),
    "Atan": lambda x: 1 / (1 + x**2),
}


@pytest.mark.parametrize("op_type", TAILS)
def test_tails_of_activations(op_type):
    (dx,) = gradients(op_type, FAR)
    np.testing.assert_allclose(dx, [TAILS[op_type](x) for x in FAR], rtol=2e-6, atol=1e-9)


def along(build, x: np.ndarray) -> np.ndarray:
    """Gradient of the sum of a small graph of x."""
    op = Emitter()
    value = op.input("x", "float32", x.shape)
    y = op.ReduceSum(build(op, value), keepdims=0)
    (dx,) = backward(op, [(y, op.constant(np.ones((), np.float32)))], [value])
    name = str(op.output(dx, "dx").name)
    (found,) = run_onnxruntime(to_proto(op.graph), [name], {"x": x.astype(np.float32)})
    assert np.isfinite(found).all()
    return found


def test_log_of_sigmoid_as_softplus():
    """log sigmoid(x) = -softplus(-x), with the derivative sigmoid(-x)."""
    dx = along(lambda op, x: op.Neg(op.Softplus(op.Neg(x))), np.array(FAR))
    np.testing.assert_allclose(dx, [sigmoid(-x) for x in FAR], rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("label", [0.0, 1.0, 0.3])
def test_sigmoid_cross_entropy_of_logits(label):
    """max(x, 0) - x label + log(1 + exp(-|x|)), with the derivative sigmoid(x) - label."""

    def loss(op, x):
        part = op.Sub(op.Relu(x), op.Mul(x, label))
        return op.Add(part, op.Softplus(op.Neg(op.Abs(x))))

    far = np.array([x for x in FAR if x != 0.0])
    dx = along(loss, far)
    np.testing.assert_allclose(dx, [sigmoid(x) - label for x in far], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("axis", [0, 1])
def test_norms_of_zeros(axis):
    x = np.array([[0.0, 0.0], [0.0, 3.0]])
    (dx,) = gradients("ReduceL2", x, np.array([axis]))
    assert dx.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_normalized_zeros():
    """Where the norm is 0 the derivative counts as 0; (0, 3) has the derivative (1 / 3, 0)."""
    (dx,) = gradients("LpNormalization", [[0.0, 0.0], [0.0, 3.0]], axis=1)
    np.testing.assert_allclose(dx, [[0.0, 0.0], [1 / 3, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_pooled_norms_of_zeros(p):
    x = np.zeros((1, 1, 4))
    x[..., 2:] = [3.0, 0.0]
    (dx,) = gradients("LpPool", x, kernel_shape=[2], strides=[2], p=p)
    assert dx.tolist() == [[[0.0, 0.0, 1.0, 0.0]]]


def test_square_root_under_a_norm_at_zero():
    dx = along(
        lambda op, x: op.Sqrt(op.ReduceSumSquare(x, [1])), np.array([[0.0, 0.0], [3.0, 4.0]])
    )
    np.testing.assert_allclose(dx, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "wanted"),
    [([0.0, 2.0, 3.0], [6, 0, 0]), ([0.0, 0.0, 3.0], [0, 0, 0]), ([2.0, 1.0, 3.0], [3, 6, 2])],
)
@pytest.mark.parametrize("op_type", ["ReduceProd", "Mul"])
def test_products_with_zeros(op_type, x, wanted):
    if op_type == "ReduceProd":
        (dx,) = gradients("ReduceProd", x, np.array([0]))
    else:
        parts = gradients("Mul", [x[0]], [x[1] * x[2]])
        dx, wanted = parts[0], [x[1] * x[2]]
    np.testing.assert_allclose(dx, wanted)


def test_integer_powers_of_zero_and_of_negative_numbers():
    base = [0.0, 0.0, 0.0, -2.0, -2.0, -2.0, -2.0]
    exponent = [1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0]
    case = Case("Pow", (np.array(base), np.array(exponent)), unwanted=(1,))
    made = differentiate(case, {0: np.ones(7)}, [0], "float32", False)
    (dbase,) = made.run(reference=False)
    assert dbase.tolist() == [1.0, 0.0, 0.0, 0.0, 1.0, -4.0, 12.0]


@pytest.mark.parametrize("exponent", [2, 3])
def test_powers_with_exponents_of_integers(exponent):
    (dbase,) = gradients("Pow", [-3.0, 0.0, 2.0], np.array(exponent))
    assert dbase.tolist() == [exponent * x ** (exponent - 1) for x in (-3.0, 0.0, 2.0)]


@pytest.mark.parametrize("value", [0.0, 5.0])
@pytest.mark.parametrize("op_type", ["LayerNormalization", "InstanceNormalization"])
def test_normalization_of_constant_rows(op_type, value):
    """Without deviation the derivative is (dy - mean(dy)) / sqrt(epsilon), by its formula."""
    x, dy = np.full((1, 1, 4), value), np.array([[[1.0, -2.0, 0.5, 3.0]]])
    scale = np.ones(4) if op_type == "LayerNormalization" else np.ones(1)
    dx, *_ = gradients(op_type, x, scale, np.zeros_like(scale), dy=dy, epsilon=1e-3)
    np.testing.assert_allclose(dx, (dy - dy.mean()) / math.sqrt(1e-3), rtol=1e-4)


def test_root_mean_square_normalization_of_zeros():
    dy = np.array([[1.0, -2.0, 0.5, 3.0]])
    dx, dscale = gradients("RMSNormalization", np.zeros((1, 4)), np.ones(4), dy=dy, epsilon=1e-3)
    np.testing.assert_allclose(dx, dy / math.sqrt(1e-3), rtol=1e-5)
    assert dscale.tolist() == [0.0] * 4


def test_attention_rows_that_may_look_nowhere():
    """Without a key the row gives nothing and takes no gradient; the others are as alone."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(1, 1, 2, 4)) for _ in range(3))
    dq, dk, dv = gradients("Attention", q, k, v, np.array([[False, False], [True, True]]))
    assert dq[0, 0, 0].tolist() == [0.0] * 4
    alone = gradients("Attention", q[:, :, 1:], k, v)
    np.testing.assert_allclose(dq[:, :, 1:], alone[0], atol=1e-6)
    np.testing.assert_allclose(dk, alone[1], atol=1e-6)
    np.testing.assert_allclose(dv, alone[2], atol=1e-6)


def test_attention_with_huge_scores():
    """One key wins by far: its value gets all, and the scores no gradient."""
    q, v = np.full((1, 1, 1, 2), HUGE), np.array([[[[1.0, 2.0], [3.0, 5.0]]]])
    k = np.array([[[[1.0, 1.0], [-1.0, -1.0]]]])
    dq, dk, dv = gradients("Attention", q, k, v)
    assert dq.tolist() == [[[[0.0, 0.0]]]]
    assert dk.tolist() == [[[[0.0, 0.0], [0.0, 0.0]]]]
    assert dv.tolist() == [[[[1.0, 1.0], [0.0, 0.0]]]]
