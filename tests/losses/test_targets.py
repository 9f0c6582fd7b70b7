"""Targets that do not fit are refused with what was received and what to do."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seqonnx import losses


def test_shapes_that_differ_are_refused_by_every_elementwise_loss():
    text = (
        "Arguments `target` and `output` must have the same shape. "
        "Received: target.shape=(3, 5), output.shape=(3, 2)"
    )
    for loss in ("mse", "huber", "bce", "categorical_crossentropy", "hinge"):
        with pytest.raises(ValueError, match=re.escape(text)):
            losses.get(loss)(np.zeros((3, 5)), np.zeros((3, 2)))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_integer_labels_for_one_hot_loss_get_a_hint(shape):
    with pytest.raises(ValueError, match=r"use the loss `sparse_categorical_crossentropy`"):
        losses.CategoricalCrossentropy()(np.zeros(shape, int), np.zeros((3, 2)))


def test_other_wrong_targets_for_one_hot_loss_get_no_hint():
    with pytest.raises(ValueError, match=r"output.shape=\(3, 2\)$"):
        losses.CategoricalCrossentropy()(np.full((3, 1), 0.5), np.zeros((3, 2)))


def test_one_hot_targets_for_sparse_loss_get_a_hint():
    text = (
        r"same shape up until the last dimension: target.shape=\(3, 2\), output.shape=\(3, 2\). "
        r"For one-hot targets use the loss `categorical_crossentropy`"
    )
    with pytest.raises(ValueError, match=text):
        losses.SparseCategoricalCrossentropy()(np.eye(2)[[0, 1, 1]], np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0, 3, 1], r"label value of 3 at position 1 of the targets.*range of \[0, 3\).*3 classes"),
        ([0, 1, -1], r"label value of -1 at position 2 "),
        ([[0], [1], [7]], r"label value of 7 at position \(2, 0\) "),
        ([0.0, 1.5, 1.0], r"label value of 1.5 at position 1 "),
        ([0.0, np.nan, 1.0], r"label value of nan at position 1 "),
    ],
)
def test_label_out_of_range_is_named_with_its_position(labels, text):
    with pytest.raises(ValueError, match=text):
        losses.SparseCategoricalCrossentropy()(labels, np.full((3, 3), 1 / 3))


def test_ignored_class_may_be_out_of_range_and_others_may_not():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    loss._check_targets(np.array([0, 255, 2], np.uint8), (None, 3))
    with pytest.raises(ValueError, match="label value of 254 at position 2 "):
        loss._check_targets(np.array([0, 255, 254], np.uint8), (None, 3))


def test_fitting_targets_pass():
    losses.MeanSquaredError()._check_targets(np.zeros(3), (None, 1))
    losses.MeanSquaredError()._check_targets(np.zeros((3, 1)), (None,))
    losses.MeanSquaredError()._check_targets(np.zeros((3, 7, 2)), (None, None, 2))
    losses.CategoricalCrossentropy()._check_targets(np.eye(3), (None, 3))
    sparse = losses.SparseCategoricalCrossentropy()
    sparse._check_targets(np.array([[0], [2]]), (None, 3))
    sparse._check_targets(np.array([[0.0, 2.0], [1.0, 0.0]]), (None, None, 3))
    sparse._check_targets(np.array([True, False]), (None, 2))
    sparse._check_targets(np.zeros((0,), int), (None, 2))


def test_only_integer_labels_enter_the_graph_as_integers():
    assert losses.SparseCategoricalCrossentropy()._target_dtype == "int64"
    assert losses.CategoricalCrossentropy()._target_dtype == "float32"
