"""Where Keras's own backends differ: which of them computes the definition, and what others do."""

from __future__ import annotations

import pytest

import seqonnx as keras
from support.optimizers.keras_backends import (
    RECORDED,
    adam_on_rows,
    averaged_ways,
    embedding,
    schedule_free,
)


def test_squares_are_of_the_whole_gradient_of_a_row():
    expected = adam_on_rows(squares_of_sums=True)
    assert embedding(keras) == pytest.approx(expected, rel=1e-5)
    assert RECORDED["torch"]["embedding"] == pytest.approx(expected, rel=1e-5)


def test_keras_on_tensorflow_squares_the_gradient_of_each_occurrence_in_a_row():
    expected = adam_on_rows(squares_of_sums=False)
    assert RECORDED["tensorflow"]["embedding"] == pytest.approx(expected, rel=1e-5)
    assert adam_on_rows(squares_of_sums=True)[1:] != pytest.approx(expected[1:], rel=1e-2)


def test_schedule_free_is_the_published_one():
    expected = averaged_ways(old=True, from_weight=True)
    assert schedule_free(keras) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("backend", "from_weight"), [("torch", True), ("tensorflow", False)])
def test_keras_reads_a_value_of_schedule_free_after_it_has_been_overwritten(backend, from_weight):
    expected = averaged_ways(old=False, from_weight=from_weight)
    assert RECORDED[backend]["schedule_free"] == pytest.approx(expected, rel=1e-5)
    definition = averaged_ways(old=True, from_weight=True)
    assert definition[2:] != pytest.approx(expected[2:], rel=1e-3)
