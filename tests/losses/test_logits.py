"""Cross-entropies look behind a Softmax or Sigmoid for the logits."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import losses
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.runtime.program import run_emission

LOGITS = np.array([[200.0, 0.0, -200.0]], np.float32)


def through(activation, loss, y_true, logits):
    """Loss of what `activation(op, x)` gives."""
    arrays = [np.asarray(y_true), logits]

    def emit(op, values):
        return [loss._emit(op, values[0], activation(op, values[1]))]

    return float(run_emission(emit, arrays, key=object())[0])


def operators(activation, loss, shape, target):
    """Operators of the graph of a loss of what `activation` gives."""
    op = Emitter()
    x = op.input("x", "float32", shape)
    loss._emit(op, op.input("y", *target), activation(op, x))
    return {node.op_type for node in op.graph}


def softmax(op, x):
    return op.Softmax(x, axis=-1)


def test_confident_mistakes_cost_what_the_logits_say():
    sparse = losses.SparseCategoricalCrossentropy()
    assert through(softmax, sparse, [2], LOGITS) == 400.0
    assert through(softmax, losses.CategoricalCrossentropy(), [[0, 0, 1.0]], LOGITS) == 400.0
    bce = losses.BinaryCrossentropy()
    assert through(lambda op, x: op.Sigmoid(x), bce, [[0.0, 1.0, 1.0]], LOGITS) == (
        pytest.approx((200 + np.log(2) + 200) / 3)
    )


def test_identity_and_transposes_do_not_hide_the_logits():
    def classes_first(op, x):
        moved = op.Softmax(op.Transpose(x, perm=[1, 0]), axis=0)
        return op.Identity(op.Transpose(moved, perm=[1, 0]))

    sparse = losses.SparseCategoricalCrossentropy()
    assert through(classes_first, sparse, [2], LOGITS) == 400.0

    def channels_first(op, x):
        return op.Transpose(
            op.Softmax(op.Transpose(x, perm=[0, 3, 1, 2]), axis=1), perm=[0, 2, 3, 1]
        )

    images = np.broadcast_to(LOGITS, (2, 4, 5, 3)).astype(np.float32)
    labels = np.full((2, 4, 5), 2)
    assert through(channels_first, sparse, labels, images) == pytest.approx(400.0)


def test_softmax_over_another_axis_is_not_taken_for_probabilities_of_classes():
    loss = losses.SparseCategoricalCrossentropy()
    target = ("int64", ("batch", 4))
    over_classes = operators(softmax, loss, ("batch", 4, 3), target)
    over_time = operators(lambda op, x: op.Softmax(x, axis=1), loss, ("batch", 4, 3), target)
    assert "LogSoftmax" in over_classes
    assert "LogSoftmax" not in over_time
    assert "Clip" in over_time


def test_sigmoid_is_not_taken_for_a_softmax():
    loss = losses.CategoricalCrossentropy()
    found = operators(lambda op, x: op.Sigmoid(x), loss, ("batch", 3), ("float32", ("batch", 3)))
    assert "LogSoftmax" not in found


@pytest.mark.parametrize("outputs", [1, 100])
def test_zero_logits_have_the_gradient_of_the_definition(outputs):
    """sigmoid(0) - y: a network that starts at zero must learn from negatives, too."""

    def emit(op, values):
        y_true, x = values
        loss = losses.BinaryCrossentropy(from_logits=True, reduction="sum")._emit(op, y_true, x)
        one = op.constant(np.ones((), np.float32))
        return [grad for grad in backward(op, [(loss, one)], [x]) if grad is not None]

    logits = np.zeros((2, outputs), np.float32)
    y_true = np.array([[0.0], [1.0]], np.float32) * np.ones_like(logits)
    grad = run_emission(emit, [y_true, logits], key="gradient at zero")[0]
    np.testing.assert_allclose(grad, (0.5 - y_true) / outputs, rtol=1e-6)


@pytest.mark.parametrize("outputs", [1, 100])
def test_large_logits_stay_exact(outputs):
    x = np.linspace(-300, 300, 3 * outputs).reshape(3, outputs)
    loss = losses.BinaryCrossentropy(from_logits=True)
    assert loss(np.zeros_like(x), x) == pytest.approx(np.logaddexp(0, x).mean(), rel=1e-6)
