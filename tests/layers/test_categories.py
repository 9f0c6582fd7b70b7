"""CategoryEncoding and Discretization: values of Keras 3.15.1, adapt, errors."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers import CategoryEncoding, Discretization


def encoded(mode, x, depth=4):
    return CategoryEncoding(depth, mode)(np.array(x)).tolist()


@pytest.mark.parametrize(
    ("mode", "x", "wanted"),
    [
        ("one_hot", [3, 2, 0], [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]),
        ("one_hot", [[1], [0]], [[0, 1, 0, 0], [1, 0, 0, 0]]),
        ("one_hot", [[0.0, 1.9]], [[[1, 0, 0, 0], [0, 1, 0, 0]]]),
        ("one_hot", [[-1, 4]], [[[0, 0, 0, 0], [0, 0, 0, 0]]]),
        ("one_hot", 2, [[0, 0, 1, 0]]),
        ("multi_hot", [[0, 1], [0, 0], [3, 9]], [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
        ("multi_hot", [0, 1], [1, 1, 0, 0]),
        ("binary", [[0, 0]], [[1, 0, 0, 0]]),
        ("count", [[0, 1], [0, 0], [3, 9]], [[1, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]]),
        ("count", [[3, -1]], [[0, 0, 0, 1]]),
        ("multi_hot", [[[0, 1], [1, 1], [2, 2]]], [[[1, 1, 1, 0], [0, 1, 1, 0]]]),
    ],
)
def test_encodings(mode, x, wanted):
    assert encoded(mode, x) == wanted


def test_sequences_of_any_length_are_encoded_in_a_model():
    inputs = keras.Input((None,), dtype="int64")
    model = keras.Model(inputs, CategoryEncoding(3, "count")(inputs))
    assert model.output_shape == (None, 3)
    for length in (1, 4, 0):
        wanted = [[float(length), 0.0, 0.0]] * 2
        assert model.predict(np.zeros((2, length), np.int64), verbose=0).tolist() == wanted


WEIGHTS = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.tolist(), WEIGHTS.astype(np.float64)])
def test_counts_are_weighted(weights):
    """As Keras 3.15.1 computes them."""
    layer = CategoryEncoding(4, "count")
    result = layer(np.array([[0, 1], [0, 0]]), count_weights=weights)
    np.testing.assert_allclose(result, [[0.1, 0.2, 0, 0], [0.7, 0, 0, 0]], rtol=1e-6)
    with pytest.raises(ValueError, match="`count_weights` is not used when"):
        CategoryEncoding(4)(np.zeros((2, 2)), count_weights=weights)


def test_counts_are_weighted_in_a_model(tmp_path):
    x, w = keras.Input((2,), dtype="int64"), keras.Input((2,))
    model = keras.Model([x, w], CategoryEncoding(4, "count")(x, count_weights=w))
    data = [np.array([[0, 1], [0, 0]]), WEIGHTS]
    wanted = [[0.1, 0.2, 0, 0], [0.7, 0, 0, 0]]
    np.testing.assert_allclose(model.predict(data, verbose=0), wanted, rtol=1e-6)
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_allclose(again.predict(data, verbose=0), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((3, "tf_idf"), "Unknown arg for output_mode: tf_idf"),
        ((), "num_tokens must be set to use this layer"),
        ((0,), "`num_tokens` must be >= 1. Received: num_tokens=0"),
        ((3, "count", True), "`sparse=True` cannot be had: .* dense tensors"),
    ],
)
def test_category_encoding_refuses(arguments, text):
    with pytest.raises(ValueError, match=text):
        CategoryEncoding(*arguments)


NUMBERS = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])


def test_bins():
    x = [[-1.5, 1.0, 3.4, 0.5, np.nan, np.inf, -np.inf]]
    layer = Discretization([0.0, 1.0, 2.0])
    assert layer(x).tolist() == [[0, 2, 3, 1, 3, 3, 0]]
    assert layer(x).dtype == np.int32
    assert layer(np.array([[0, 1, 5]])).tolist() == [[1, 2, 3]]
    assert Discretization([0.5])(np.array([1, 0], np.int8)).tolist() == [1, 0]


def test_large_integers_keep_their_bins():
    layer = Discretization([2.0**24, 2.0**24 + 2])
    assert layer(np.array([[2**24 - 1, 2**24 + 1, 2**24 + 2]])).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("one_hot", [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]]),
        ("count", [[0, 2, 0], [1, 0, 1]]),
        ("multi_hot", [[0, 1, 0], [1, 0, 1]]),
    ],
)
def test_encoded_bins(mode, wanted):
    layer = Discretization([0.0, 1.0], output_mode=mode)
    assert layer(np.array([[0.5, 0.6], [2.0, -1.0]])).tolist() == wanted


def test_boundaries_are_those_of_keras():
    """Keras 3.15.1 gave these values."""
    layer = Discretization(num_bins=4, epsilon=0.01)
    layer.adapt(NUMBERS)
    assert layer.bin_boundaries == [0.0, 0.5, 1.2999999523162842]
    assert layer(NUMBERS).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]
    rng = np.random.default_rng(0)
    large = rng.normal(size=20_000)
    layer.adapt(large)
    found = layer.bin_boundaries
    np.testing.assert_allclose(found, np.quantile(large, [0.25, 0.5, 0.75]), atol=0.05)
    pieces = Discretization(num_bins=4)
    pieces.adapt(large[i : i + 1000] for i in range(0, 20_000, 1000))
    wanted = [-0.6288450360298157, 0.04137791320681572, 0.7435569167137146]  # of Keras
    np.testing.assert_allclose(pieces.bin_boundaries, wanted, rtol=1e-6)
    pieces.adapt((NUMBERS for _ in iter(int, 1)), steps=1)  # endless
    assert pieces.bin_boundaries == [0.0, 0.5, 1.2999999523162842]


def test_learned_bins_take_effect_and_are_saved(tmp_path):
    layer = Discretization(num_bins=3, output_mode="one_hot", name="bins")
    layer.adapt(NUMBERS)
    model = keras.Sequential([keras.Input((4,)), layer, layers.Flatten()])
    before = model.predict(NUMBERS, verbose=0)
    layer.adapt(NUMBERS + 1)
    after = model.predict(NUMBERS, verbose=0)
    assert (before != after).any()
    with pytest.raises(RuntimeError, match="Old number is 3, new number is 1"):
        layer.adapt(np.zeros((1, 1)))
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(again.predict(NUMBERS, verbose=0), after)
    again.layers[0].adapt(NUMBERS)
    np.testing.assert_array_equal(again.predict(NUMBERS, verbose=0), before)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Discretization, "either `num_bins` or `bin_boundaries`"),
        (lambda: Discretization([0.0], 3), r"should not be set. Received: `num_bins=3` and"),
        (lambda: Discretization(num_bins=-1), r"greater than or equal to 0. .*num_bins=-1"),
        (lambda: Discretization([0.0], output_mode="tf_idf"), "Allowed values are: .*'count'"),
        (lambda: Discretization([0.0], sparse=True), "`sparse=True` cannot be had"),
        (lambda: Discretization([0.0]).adapt(NUMBERS), "initialized with `bin_boundaries`"),
        (lambda: Discretization(num_bins=3)(NUMBERS), "or call `adapt"),
        (lambda: Discretization(num_bins=3).adapt(iter([])), "cannot adapt to no data"),
    ],
)
def test_discretization_refuses(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_model_may_be_built_before_the_layer_adapts():
    layer = Discretization(num_bins=4, output_mode="one_hot")
    model = keras.Sequential([keras.Input((4,)), layer])
    assert model.output_shape == (None, 4, 4)
    with pytest.raises(ValueError, match="or call `adapt"):
        model.predict(NUMBERS, verbose=0)
    layer.adapt(NUMBERS)
    assert model.predict(NUMBERS, verbose=0).argmax(-1).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]


def test_steps_of_an_array_warn():
    with pytest.warns(UserWarning, match="`steps=2` has no effect on an array"):
        Discretization(num_bins=2).adapt(NUMBERS, steps=2)
