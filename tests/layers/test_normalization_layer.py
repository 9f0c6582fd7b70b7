"""Normalization: statistics of data, by every way to give it, and where they take effect."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers import Normalization
from seqonnx.training.data import PyDataset

X = np.random.default_rng(0).normal(3.0, 2.0, (10, 4, 3)).astype(np.float32)


class Numbered(PyDataset):
    """Batches by their number, with targets beside them."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], np.zeros(5)


def definition(x, axes, mean, variance):
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    deviation = np.maximum(np.sqrt(np.reshape(variance, shape)), 1e-7)
    return (x - np.reshape(mean, shape)) / deviation


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (2, 1), None, 0])
def test_statistics_are_those_of_the_data(axis):
    layer = Normalization(axis)
    layer.adapt(X)
    kept = [] if axis is None else sorted(a % 3 for a in np.atleast_1d(axis))
    reduced = tuple(a for a in range(3) if a not in kept)
    mean, variance = X.mean(axis=reduced), X.var(axis=reduced)
    np.testing.assert_allclose(layer.get_weights()[0], mean, rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[1], variance, rtol=1e-5)
    wanted = definition(X, kept, mean, variance)
    np.testing.assert_allclose(layer(X), wanted, rtol=1e-4, atol=1e-5)
    back = Normalization(axis, invert=True)
    back.adapt(X)
    np.testing.assert_allclose(back(layer(X)), X, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "data",
    [
        X.tolist,
        lambda: [X[:3], X[3:]],
        lambda: (X[i : i + 3] for i in range(0, 10, 3)),
        lambda: [(X[:3], np.zeros(3)), (X[3:], np.zeros(7))],
        Numbered,
        lambda: X.astype(np.float64),
    ],
    ids=["list", "list of arrays", "generator", "pairs", "dataset", "float64"],
)
def test_every_kind_of_data_gives_the_same(data):
    layer = Normalization()
    given = data()
    layer.adapt(np.asarray(given) if data == X.tolist else given)
    np.testing.assert_allclose(layer.get_weights()[0], X.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[1], X.var((0, 1)), rtol=1e-5)


def test_arrays_are_read_in_pieces_with_the_same_result():
    large = np.random.default_rng(1).normal(size=(140_000, 2)).astype(np.float32)
    layer = Normalization()
    layer.adapt(large)
    np.testing.assert_allclose(layer.get_weights()[0], large.mean(0, np.float64), atol=1e-7)
    np.testing.assert_allclose(layer.get_weights()[1], large.var(0, np.float64), rtol=1e-6)


def test_far_from_zero_nothing_is_lost():
    """The naive formula, mean of squares less square of mean, gives a variance of 0 here."""
    layer = Normalization(None)
    layer.adapt(np.array([[v]]) for v in (1e8 + 1, 1e8 + 3))
    assert layer.get_weights()[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("axis", "mean", "variance", "wanted"),
    [
        (-1, 3.0, 4.0, [[[-1.0, -1.0], [-1.0, -1.0]]]),
        ((1, 2), [3.0, 1.0], [4.0, 1.0], [[[-1.0, 0.0], [-1.0, 0.0]]]),
        (1, [3.0, 1.0], [4.0, 1.0], [[[-1.0, -1.0], [0.0, 0.0]]]),
        (None, 3.0, 0.0, [[[-2e7, -2e7], [-2e7, -2e7]]]),
    ],
)
def test_given_statistics(axis, mean, variance, wanted):
    """As Keras 3.15.1 computes them."""
    layer = Normalization(axis, mean, variance)
    np.testing.assert_allclose(layer(np.ones((1, 2, 2), np.float32)), wanted, rtol=1e-6)
    assert layer.weights == []


def test_adapted_layer_takes_effect_everywhere(tmp_path):
    norm = Normalization(name="n")
    model = keras.Sequential([keras.Input((4, 3)), norm, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    y = np.zeros((10, 1))
    model.fit(X, y, verbose=0)
    before = model.predict(X, verbose=0)
    norm.adapt(X)
    after = model.predict(X, verbose=0)
    assert abs(after - before).max() > 0.1
    assert model.evaluate(X, y, verbose=0) == pytest.approx(float((after**2).mean()), rel=1e-5)
    model.fit(X, y, verbose=0)
    np.testing.assert_allclose(norm.get_weights()[0], X.mean((0, 1)), rtol=1e-5)
    wanted = model.predict(X, verbose=0)
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(again.predict(X, verbose=0), wanted)
    model.export(tmp_path / "e.onnx")
    (name,) = (i.name for i in onnxruntime.InferenceSession(tmp_path / "e.onnx").get_inputs())
    run = onnxruntime.InferenceSession(tmp_path / "e.onnx").run(None, {name: X})[0]
    np.testing.assert_allclose(run, wanted, rtol=1e-4, atol=1e-5)


def test_mean_and_variance_are_shown_as_they_broadcast():
    layer = Normalization()
    assert layer.mean is None
    layer.adapt(X)
    assert layer.mean.shape == layer.variance.shape == (1, 1, 3)
    np.testing.assert_allclose(layer.mean.numpy()[0, 0], X.mean((0, 1)), rtol=1e-5)
    given = Normalization(mean=1.0, variance=2.0)
    given.build((None, 3))
    assert given.variance.numpy().tolist() == [[2.0, 2.0, 2.0]]


def test_integers_and_halves_keep_their_digits():
    layer = Normalization(dtype="mixed_float16")
    layer.adapt(np.array([[70_000], [70_002]]))
    assert layer(np.array([[70_001], [70_003]])).tolist() == [[0.0], [2.0]]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Normalization(mean=1.0), "both `mean` and `variance` must be set. Received"),
        (lambda: Normalization(mean=[1.0], variance=1.0), r"same shape. .*\(1,\).*shape \(\)"),
        (lambda: Normalization(None, [1.0], [1.0]), r"less than or equal .* axes \(0\)"),
        (lambda: Normalization(3).adapt(X), r"range \[-ndim, ndim\).*ndim=3, while axis=\(3,\)"),
        (lambda: Normalization(1)(keras.Input((None, 3))), "unknown axis at index 1"),
        (lambda: Normalization().adapt(iter([])), r"empty iterable \(no batches\)"),
        (lambda: Normalization().adapt(X[:0]), r"empty iterable \(no batches\)"),
        (lambda: Normalization(mean=1.0, variance=1.0).adapt(X), "so it cannot adapt"),
        (lambda: Normalization().adapt(iter([X, X[..., :2]])), r"incompatible shape, .*\(10, 4, 2"),
    ],
)
def test_wrong_values_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(
    ("data", "text"),
    [([1.0, 2.0], "Got an element of type float"), (3, "Unsupported data type: <class 'int'>")],
)
def test_wrong_kinds_of_data_are_refused(data, text):
    with pytest.raises(TypeError, match=text):
        Normalization().adapt(data)
