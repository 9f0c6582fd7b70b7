"""`seqonnx.random`: distributions, seeds, and numbers of their own for each sample in a graph."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers, ops, random

MANY = (40000,)


@pytest.mark.parametrize(
    ("draw", "mean", "deviation", "low", "high"),
    [
        (lambda: random.uniform(MANY, -1.0, 3.0), 1.0, 4 / math.sqrt(12), -1.0, 3.0),
        (lambda: random.normal(MANY, 2.0, 0.5), 2.0, 0.5, -1.0, 5.0),
        # Of the normal distribution between -2 and 2: 1 - 2 * 2 phi(2) / (2 Phi(2) - 1).
        (lambda: random.truncated_normal(MANY), 0.0, math.sqrt(0.7737413), -2.0, 2.0),
        (lambda: random.randint(MANY, 3, 7), 4.5, math.sqrt(15 / 12), 3, 6),
        (lambda: random.categorical([[0.0, math.log(3.0)]], 40000), 0.75, math.sqrt(3 / 16), 0, 1),
        (lambda: random.dropout(np.ones(MANY), 0.2), 1.0, 0.5, 0.0, 1.25),
    ],
)
def test_moments_and_bounds(draw, mean, deviation, low, high):
    keras.set_random_seed(0)
    drawn = draw()
    assert drawn.mean() == pytest.approx(mean, abs=5 * deviation / math.sqrt(40000))
    assert drawn.std() == pytest.approx(deviation, rel=0.03)
    assert low <= drawn.min() <= drawn.max() <= high


def test_seeds():
    np.testing.assert_array_equal(random.normal((3,), seed=7), random.normal((3,), seed=7))
    assert np.any(random.normal((3,), seed=7) != random.normal((3,), seed=8))
    assert np.any(random.normal((3,)) != random.normal((3,)))
    seeds, again = random.SeedGenerator(5), random.SeedGenerator(5)
    first = random.normal((3,), seed=seeds)
    assert np.any(first != random.normal((3,), seed=seeds))
    np.testing.assert_array_equal(first, random.normal((3,), seed=again))


class Sampling(layers.Layer):
    """The reparametrisation of a variational autoencoder (Kingma and Welling, 2014)."""

    def call(self, inputs):
        mean, log_variance = inputs
        batch, size = ops.shape(mean)
        return mean + random.normal((batch, size)) * (log_variance * 0.5)


def sampling_model():
    mean, width = keras.Input((4,)), keras.Input((4,))
    return keras.Model([mean, width], Sampling(name="draw")([mean, width]))


def test_samples_have_numbers_of_their_own_and_a_seed_repeats_them():
    model = sampling_model()
    zeros, twos = np.zeros((6, 4), np.float32), np.full((6, 4), 2.0, np.float32)
    keras.set_random_seed(1)
    first = model.predict([zeros, twos], batch_size=6, verbose=0)
    assert len(np.unique(first)) == 24
    assert np.any(model.predict([zeros, twos], verbose=0) != first)
    keras.set_random_seed(1)
    np.testing.assert_array_equal(model.predict([zeros, twos], batch_size=6, verbose=0), first)


def test_a_file_takes_the_noise_as_inputs(tmp_path):
    model = sampling_model()
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    names = [value.name for value in session.get_inputs()]
    assert [name for name in names if "noise" in name] == ["draw/noise", "draw/noise_1"]
    u, v = np.full((2, 4), 0.25, np.float32), np.full((2, 4), 0.5, np.float32)
    arrays = [np.zeros((2, 4), np.float32), np.full((2, 4), 2.0, np.float32), u, v]
    data = dict(zip(names, arrays, strict=True))
    expected = math.sqrt(-2 * math.log(1 - 0.25)) * math.cos(2 * math.pi * 0.5)
    np.testing.assert_allclose(session.run(None, data)[0], expected, rtol=1e-5)


def test_a_number_as_seed_is_a_constant_of_the_graph():
    fixed = random.normal((3,), seed=4)
    model = keras.Sequential(
        [keras.Input((3,)), layers.Lambda(lambda x: x + random.normal((3,), seed=4))]
    )
    zeros = np.zeros((2, 3), np.float32)
    np.testing.assert_allclose(model(zeros), np.stack([fixed, fixed]), rtol=1e-6)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"draws from 1 to 2\*\*24 integers. Received: minval=0"):
        random.randint((2,), 0, 1 << 25)
    with pytest.raises(ValueError, match=r"must be a number, or the size of a tensor"):
        layers.Lambda(lambda x: random.normal((x[0, 0], 2)))(np.ones((2, 2)))
