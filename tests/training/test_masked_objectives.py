"""Losses and metrics leave out what the mask of the predictions leaves out."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (8, 6))
X[0] = 0  # a sample without any step that counts
KEPT = X != 0
LABELS = RNG.integers(0, 3, (8, 6))
BY_SAMPLE = RNG.random(8)
BY_STEP = RNG.random((8, 6))


def model():
    keras.set_random_seed(2)
    stack = [layers.Embedding(4, 5, mask_zero=True), layers.Dense(3, activation="softmax")]
    made = keras.Sequential([keras.Input((6,), dtype="int32"), *stack])
    made.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["sparse_categorical_crossentropy"],
    )
    return made


@pytest.mark.parametrize("weights", [None, BY_SAMPLE, BY_STEP], ids=["none", "sample", "step"])
def test_values_of_masked_steps_do_not_count(weights):
    made = model()
    p = made.predict(X, verbose=0)
    own = -np.log(np.take_along_axis(p, LABELS[..., None], -1)[..., 0])
    right = p.argmax(-1) == LABELS
    w = 1.0 if weights is None else weights.reshape(8, -1) * np.ones((8, 6))
    logs = made.evaluate(X, LABELS, 8, verbose=0, sample_weight=weights, return_dict=True)
    assert logs["loss"] == pytest.approx((own * KEPT * w).sum() / KEPT.sum(), rel=1e-5)
    assert logs["accuracy"] == pytest.approx((right * KEPT).sum() / KEPT.sum(), rel=1e-5)
    weighted = (own * KEPT * w).sum() / (KEPT * w).sum()
    assert logs["sparse_categorical_crossentropy"] == pytest.approx(weighted, rel=1e-5)


def test_masked_steps_have_no_gradient():
    made = model()
    made.fit(X, LABELS, verbose=0, batch_size=8, shuffle=False)
    other = model()
    changed = np.where(KEPT, LABELS, 2 - LABELS)  # other targets where nothing counts
    other.fit(X, changed, verbose=0, batch_size=8, shuffle=False)
    for ours, theirs in zip(made.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
