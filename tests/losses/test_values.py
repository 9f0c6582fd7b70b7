"""Every loss has the value of its definition, computed here in float64."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from seqonnx import losses
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_bytes, to_proto

rng = np.random.default_rng(0)
N, C = 6, 5
X = rng.normal(size=(N, C))
T = rng.normal(size=(N, C))
P = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
S = 1 / (1 + np.exp(-X))
LABELS = rng.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
BITS = rng.integers(0, 2, (N, C)).astype(float)
EPS = 1e-7


def mean(values):
    return values.mean(axis=-1)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def bce(y, p):
    return mean(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def smooth(y, s, classes):
    return y * (1 - s) + s / classes


def cosine(a, b):
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def focal(y, p, gamma):
    right = y * p + (1 - y) * (1 - p)
    return mean((1 - right) ** gamma * -(y * np.log(p) + (1 - y) * np.log(1 - p)))


def dice(y, p, axis):
    return 1 - 2 * (y * p).sum(axis) / (y.sum(axis) + p.sum(axis) + EPS)


def overlap(y, p, missed, added, axis):
    both = (y * p).sum(axis)
    wrong = missed * (y * (1 - p)).sum(axis) + added * ((1 - y) * p).sum(axis)
    return 1 - both / (both + wrong + EPS)


def circle(labels, x, gamma, margin):
    values = []
    for i, label in enumerate(labels):
        distance = np.maximum(1 - x @ x[i], 0)
        near = [d for j, d in enumerate(distance) if labels[j] == label and j != i]
        far = [d for j, d in enumerate(distance) if labels[j] != label]
        pull = sum(np.exp(-gamma * (margin + d) * (margin - d)) for d in near)
        push = sum(np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d)) for d in far)
        values.append(np.log1p(pull * push))
    return np.array(values)


def alignments(text, scores):
    """-log of the probability of a text: the sum over every sequence that collapses to it."""
    log_p = log_softmax(scores)
    total = 0.0
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        collapsed = [c for i, c in enumerate(path) if c != 0 and (i == 0 or path[i - 1] != c)]
        if collapsed == [letter for letter in text if letter != 0]:
            total += np.exp(sum(log_p[i, c] for i, c in enumerate(path)))
    return -np.log(total)


TEXTS = np.array([[1, 2, 0], [2, 2, 0], [3, 1, 2], [2, 0, 0]])
SEQUENCES = rng.normal(size=(4, 5, 4))
UNIT = X / np.linalg.norm(X, axis=-1, keepdims=True)
GROUPS = np.array([0, 1, 0, 1, 1, 0])
MIDDLE = np.moveaxis(np.eye(3)[rng.integers(0, 3, (4, 2))], -1, 1)
MAPS = rng.normal(size=(4, 3, 2))
SIGNS = 2 * BITS - 1
MARGIN = np.maximum(1 - SIGNS * X, 0)
E = X - T

CASES = {
    "mse": (losses.MeanSquaredError(), T, X, mean(E**2)),
    "mae": (losses.MeanAbsoluteError(), T, X, mean(np.abs(E))),
    "mape": (losses.MeanAbsolutePercentageError(), T, X, 100 * mean(np.abs(E) / np.abs(T))),
    "msle": (
        losses.MeanSquaredLogarithmicError(),
        np.abs(T),
        np.abs(X),
        mean((np.log1p(np.abs(X)) - np.log1p(np.abs(T))) ** 2),
    ),
    "log_cosh": (losses.LogCosh(), T, X, mean(np.log(np.cosh(E)))),
    "huber": (
        losses.Huber(delta=0.7),
        T,
        X,
        mean(np.where(np.abs(E) <= 0.7, E**2 / 2, 0.7 * (np.abs(E) - 0.35))),
    ),
    "cosine": (losses.CosineSimilarity(), T, X, -cosine(T, X)),
    "poisson": (losses.Poisson(), np.abs(T), S, mean(S - np.abs(T) * np.log(S + EPS))),
    "kld": (losses.KLDivergence(), P[::-1], P, (P[::-1] * np.log(P[::-1] / P)).sum(-1)),
    "hinge": (losses.Hinge(), SIGNS, X, mean(MARGIN)),
    "hinge of 0 and 1": (losses.Hinge(), BITS, X, mean(MARGIN)),
    "squared hinge": (losses.SquaredHinge(), BITS, X, mean(MARGIN**2)),
    "categorical hinge": (
        losses.CategoricalHinge(),
        ONE_HOT,
        X,
        np.maximum(((1 - ONE_HOT) * X).max(-1) - (ONE_HOT * X).sum(-1) + 1, 0),
    ),
    "bce": (losses.BinaryCrossentropy(), BITS, S, bce(BITS, S)),
    "bce from logits": (losses.BinaryCrossentropy(from_logits=True), BITS, X, bce(BITS, S)),
    "bce of many logits": (
        losses.BinaryCrossentropy(from_logits=True),
        np.tile(BITS, 3),
        np.tile(X, 3),
        bce(BITS, S),
    ),
    "bce smoothed": (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        BITS,
        S,
        bce(smooth(BITS, 0.2, 2), S),
    ),
    "cce": (losses.CategoricalCrossentropy(), ONE_HOT, P, -np.log(P[range(N), LABELS])),
    "cce of rows that do not sum to 1": (
        losses.CategoricalCrossentropy(),
        ONE_HOT,
        3 * P,
        -np.log(P[range(N), LABELS]),
    ),
    "cce from logits, smoothed": (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        ONE_HOT,
        X,
        -(smooth(ONE_HOT, 0.1, C) * log_softmax(X)).sum(-1),
    ),
    "sparse cce": (
        losses.SparseCategoricalCrossentropy(),
        LABELS,
        2 * P,
        -np.log(P[range(N), LABELS]),
    ),
    "sparse cce from logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS[:, None],
        X,
        -log_softmax(X)[range(N), LABELS],
    ),
    "binary focal": (losses.BinaryFocalCrossentropy(gamma=1.5), BITS, S, focal(BITS, S, 1.5)),
    "binary focal from logits": (
        losses.BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.1),
        BITS,
        X,
        focal(smooth(BITS, 0.1, 2), S, 2.0),
    ),
    "binary focal, balanced": (
        losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=0),
        BITS,
        S,
        mean((BITS * 0.3 + (1 - BITS) * 0.7) * -np.log(BITS * S + (1 - BITS) * (1 - S))),
    ),
    "categorical focal": (
        losses.CategoricalFocalCrossentropy(gamma=3.0),
        ONE_HOT,
        3 * P,
        -0.25 * (1 - P[range(N), LABELS]) ** 3 * np.log(P[range(N), LABELS]),
    ),
    "categorical focal from logits": (
        losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.2, 0.3, 0.4, 0.5], from_logits=True),
        ONE_HOT,
        X,
        -(0.1 + 0.1 * LABELS) * (1 - P[range(N), LABELS]) ** 2 * np.log(P[range(N), LABELS]),
    ),
    "generalised": (
        losses.CategoricalGeneralizedCrossEntropy(q=0.7),
        LABELS[:, None],
        P,
        (1 - P[range(N), LABELS] ** 0.7) / 0.7,
    ),
    "dice of rows": (losses.Dice(axis=-1), BITS, S, dice(BITS, S, -1)),
    "dice of all": (losses.Dice(), BITS, S, dice(BITS, S, None)),
    "tversky": (losses.Tversky(0.2, 0.9, axis=1), BITS, S, overlap(BITS, S, 0.2, 0.9, 1)),
    "circle": (losses.Circle(gamma=2.0), GROUPS, UNIT, circle(GROUPS, UNIT, 2.0, 0.4)),
    "ctc": (
        losses.CTC(),
        TEXTS,
        SEQUENCES,
        np.array([alignments(*pair) for pair in zip(TEXTS, SEQUENCES, strict=True)]),
    ),
    "cosine along the first axis": (
        losses.CosineSimilarity(axis=0),
        T,
        X,
        -cosine(T.T, X.T),
    ),
    "cce of classes in the middle, smoothed": (
        losses.CategoricalCrossentropy(axis=1, from_logits=True, label_smoothing=0.3),
        MIDDLE,
        MAPS,
        -(smooth(MIDDLE, 0.3, 3) * np.moveaxis(log_softmax(np.moveaxis(MAPS, 1, -1)), -1, 1)).sum(
            1
        ),
    ),
    "sparse cce of classes in the middle": (
        losses.SparseCategoricalCrossentropy(axis=1, from_logits=True),
        MIDDLE.argmax(1),
        MAPS,
        -(MIDDLE * np.moveaxis(log_softmax(np.moveaxis(MAPS, 1, -1)), -1, 1)).sum(1),
    ),
    "bce over the first of two axes": (
        losses.BinaryCrossentropy(axis=1),
        MIDDLE,
        1 / (1 + np.exp(-MAPS)),
        np.log1p(np.exp(-MAPS * (2 * MIDDLE - 1))).mean(1),
    ),
    "mse of (N,) and (N, 1)": (losses.MeanSquaredError(), T[:, 0], X[:, :1], E[:, 0] ** 2),
    "mae of (N, 1) and (N,)": (losses.MeanAbsoluteError(), T[:, :1], X[:, 0], np.abs(E[:, 0])),
}


@pytest.mark.parametrize("name", CASES)
def test_emitted_values_are_those_of_the_definition(name, emit64):
    loss, y_true, y_pred, expected = CASES[name]
    actual = emit64(loss.call, y_true, y_pred)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def evaluator_of(graph):
    """ONNX's own definitions; they have no Scan that runs backwards, so that ONNX Runtime does."""
    if any(node.op_type == "Scan" for node in graph):
        return onnxruntime.InferenceSession(to_bytes(graph), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(to_proto(graph))


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_derivative_of_the_loss(name):
    loss, y_true, y_pred, _ = CASES[name]
    op = Emitter()
    target = op.input("t", y_true.dtype.name, ("batch", *y_true.shape[1:]))
    x = op.input("x", "float64", ("batch", *y_pred.shape[1:]))
    value = loss._emit(op, target, x)
    grad = backward(op, [(value, op.constant(np.ones(())))], [x])[0]
    op.output(value, "loss")
    op.output(grad, "grad")
    evaluator = evaluator_of(op.graph)
    direction, step = rng.normal(size=y_pred.shape), 1e-6

    def at(moved):
        return evaluator.run(None, {"t": y_true, "x": y_pred + moved * direction})

    derivative = (at(step)[0] - at(-step)[0]) / (2 * step)
    assert (at(0)[1] * direction).sum() == pytest.approx(derivative, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_call_on_arrays_gives_the_mean_over_samples(name):
    loss, y_true, y_pred, expected = CASES[name]
    actual = loss(y_true, y_pred)
    assert isinstance(actual, float)
    assert actual == pytest.approx(expected.mean(), rel=2e-6)


def test_values_keep_all_axes_but_the_last():
    y = rng.normal(size=(2, 3, 4))
    loss = losses.MeanSquaredError(reduction="none")
    np.testing.assert_allclose(loss(np.zeros_like(y), y), (y**2).mean(-1), rtol=1e-6)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    labels = rng.integers(0, 4, (2, 3))
    expected = -np.take_along_axis(log_softmax(y), labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(sparse(labels, y), expected, rtol=1e-6)


def test_probabilities_are_clipped_at_1e_7():
    assert losses.BinaryCrossentropy()([[1.0]], [[0.0]]) == pytest.approx(-np.log(1e-7), rel=1e-6)
    cce = losses.CategoricalCrossentropy()([[1.0, 0.0]], [[0.0, 1.0]])
    assert cce == pytest.approx(-np.log(1e-7), rel=1e-6)
    sparse = losses.SparseCategoricalCrossentropy()([0], [[0.0, 1.0]])
    assert sparse == pytest.approx(-np.log(1e-7), rel=1e-6)


def test_cosine_of_a_zero_vector_is_zero():
    assert losses.CosineSimilarity()([[1.0, 2.0]], [[0.0, 0.0]]) == 0.0


def test_hinge_converts_only_batches_of_zeros_and_ones():
    y = [[0.0], [1.0], [-1.0]]
    assert losses.Hinge()(y, [[2.0], [2.0], [2.0]]) == pytest.approx((1 + 0 + 3) / 3)


def torch_cases(torch):
    f = torch.nn.functional
    x, t, bits = (torch.tensor(a) for a in (X, T, BITS))
    labels = torch.tensor(LABELS)
    return [
        (losses.MeanSquaredError(), T, X, f.mse_loss(x, t)),
        (losses.MeanAbsoluteError(), T, X, f.l1_loss(x, t)),
        (losses.Huber(0.5), T, X, f.huber_loss(x, t, delta=0.5)),
        (losses.BinaryCrossentropy(), BITS, S, f.binary_cross_entropy(torch.tensor(S), bits)),
        (
            losses.BinaryCrossentropy(from_logits=True),
            BITS,
            40 * X,
            f.binary_cross_entropy_with_logits(40 * x, bits),
        ),
        (
            losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
            ONE_HOT,
            40 * X,
            f.cross_entropy(40 * x, labels, label_smoothing=0.1),
        ),
        (
            losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=int(LABELS[0])),
            LABELS,
            X,
            f.cross_entropy(x, labels, ignore_index=int(LABELS[0])),
        ),
        (
            losses.KLDivergence(reduction="sum"),
            P[::-1].copy(),
            P,
            f.kl_div(torch.tensor(P).log(), torch.tensor(P[::-1].copy()), reduction="sum"),
        ),
        (
            losses.CosineSimilarity(reduction="sum"),
            T,
            X,
            -f.cosine_similarity(x, t, dim=-1).sum(),
        ),
    ]


def test_values_agree_with_torch():
    torch = pytest.importorskip("torch")
    for loss, y_true, y_pred, expected in torch_cases(torch):
        assert loss(y_true, y_pred) == pytest.approx(float(expected), rel=2e-6), loss
