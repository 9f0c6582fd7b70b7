"""Draws of Keras's `random` that only the host makes: their moments, seeds and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import Input, layers, random


@pytest.mark.parametrize(
    ("draw", "mean", "variance"),
    [
        (lambda seed: random.gamma((20000,), 2.5, seed=seed), 2.5, 2.5),
        (lambda seed: random.beta((20000,), 2.0, 3.0, seed=seed), 0.4, 0.04),
        (lambda seed: random.binomial((20000,), 10, 0.3, seed=seed), 3.0, 2.1),
    ],
)
def test_moments_are_those_of_the_definition_and_a_seed_repeats(draw, mean, variance):
    values = draw(3)
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(mean, abs=6 * (variance / 20000) ** 0.5)
    assert values.var() == pytest.approx(variance, rel=0.08)
    assert np.array_equal(values, draw(3))
    assert not np.array_equal(values, draw(4))
    source = random.SeedGenerator(3)
    assert not np.array_equal(draw(source), draw(source))


def test_parameters_broadcast_and_dtypes_are_kept():
    assert random.beta((3, 2), [1.0, 9.0], 1.0, "float16").dtype == np.float16
    assert random.binomial((2, 2), [1, 50], [[0.0], [1.0]]).tolist() == [[0.0, 0.0], [1.0, 50.0]]
    assert random.gamma((2, 3), np.ones(3)).shape == (2, 3)


def test_shuffled_entries_are_the_same_in_another_order():
    x = np.arange(60).reshape(20, 3)
    rows = random.shuffle(x, seed=1)
    assert sorted(rows[:, 0]) == list(x[:, 0])
    assert not np.array_equal(rows, x)
    assert np.array_equal(np.diff(rows, axis=1), np.ones((20, 2)))
    columns = random.shuffle(x, axis=1, seed=2)
    assert np.array_equal(np.sort(columns, axis=1), x)
    assert len({tuple(np.argsort(row)) for row in columns}) == 1


def test_a_graph_is_refused_with_the_remedy():
    class Shuffled(layers.Layer):
        def call(self, x):
            return random.shuffle(x)

    for x in (Input((3,)), np.ones((2, 3), "float32")):
        with pytest.raises(TypeError, match=r"`random.shuffle` draws on arrays, not in a graph"):
            Shuffled()(x)
