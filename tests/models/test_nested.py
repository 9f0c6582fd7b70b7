"""A model inside a model is a layer like any other."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers


def nested() -> tuple[keras.Sequential, keras.Sequential]:
    """A model of which the first layer is a model; both have a layer called `d`."""
    base = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu", name="d"), layers.Dropout(0.5)],
        name="base",
    )
    return base, keras.Sequential([base, layers.Dense(2, name="d")], name="whole")


def test_nested_model_computes_what_its_parts_compute():
    base, whole = nested()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert whole.built
    assert whole.input_shape == (None, 3)
    assert len(whole.weights) == 4
    np.testing.assert_allclose(whole(x), whole.layers[1](base(x)), rtol=1e-6)


def test_dropout_inside_a_nested_model_drops_in_training_only():
    base = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5)])
    whole = keras.Sequential([keras.Input((50,)), base])
    ones = np.ones((4, 50), np.float32)
    np.testing.assert_array_equal(whole(ones), ones)
    assert set(np.unique(whole(ones, training=True))) == {0.0, 2.0}
    whole.compile("sgd", "mae")
    assert whole.train_on_batch(ones, ones) == 1.0  # each 1 became 0 or 2
    assert whole.test_on_batch(ones, ones) == 0.0


def test_unbuilt_nested_models_are_built_by_the_first_data():
    inner = keras.Sequential([layers.Dense(4), layers.Dense(5)])
    whole = keras.Sequential([inner, layers.Dense(2)])
    assert not whole.built
    whole.compile("sgd", "mse")
    whole.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert inner.input_shape == (None, 3)
    assert len(whole.weights) == 6


def test_trainable_recurses_and_the_parent_wins():
    base, whole = nested()
    assert len(whole.trainable_weights) == 4
    base.trainable = False
    assert [layer.trainable for layer in base.layers] == [False, False]
    assert [w.path for w in whole.trainable_weights] == ["d/kernel", "d/bias"]
    assert len(whole.non_trainable_weights) == 2
    base.layers[0].trainable = True
    assert base.trainable_weights == []
    closed = keras.Sequential([keras.Input((2,)), layers.Dense(1)], trainable=False)
    assert closed.layers[0].trainable
    assert closed.trainable_weights == []


def test_frozen_base_keeps_its_weights_bit_for_bit():
    base, whole = nested()
    base.trainable = False
    before = whole.get_weights()
    whole.compile("adam", "mse")
    rng = np.random.default_rng(0)
    whole.fit(rng.normal(size=(32, 3)), rng.normal(size=(32, 2)), epochs=2, verbose=0)
    after = whole.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [
        *(True, True),
        *(False, False),
    ]


def test_layers_of_one_name_in_two_nested_models_survive_files(tmp_path):
    def make():
        parts = [
            keras.Sequential([layers.Dense(3, name="d")], name="one"),
            keras.Sequential([layers.Dense(3, name="d")], name="two"),
        ]
        model = keras.Sequential([keras.Input((3,)), *parts])
        model.compile("adam", "mse")
        return model

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 3))
    model = make()
    model.fit(x, y, verbose=0)
    model.save_weights(tmp_path / "w.npz")
    model.save(tmp_path / "m.onnx")
    other = make()
    other.load_weights(tmp_path / "w.npz")
    loaded = keras.load_model(tmp_path / "m.onnx")
    for a, b, c in zip(model.get_weights(), other.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    slots = zip(
        model._sessions.optimizer_variables, loaded._sessions.optimizer_variables, strict=True
    )
    for mine, theirs in slots:
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
        assert np.any(mine.numpy() != 0)


def test_two_models_that_train_the_same_layers_see_each_other():
    shared = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    first = keras.Sequential([keras.Input((1,)), shared])
    second = keras.Sequential([keras.Input((1,)), shared])
    x, one = np.ones((1, 1)), np.ones((1, 1))
    for model in (first, second):
        model.compile(keras.optimizers.SGD(0.25), "mse")
    # Each step halves the distance to 1: w' = w - 0.25 * 2 (w - 1).
    for step in range(6):
        (first, second)[step % 2].train_on_batch(x, one)
        expected = 1 - 0.5 ** (step + 1)
        np.testing.assert_allclose(shared.get_weights()[0], [[expected]], rtol=1e-6)


def test_model_frozen_in_another_model_trains_on_its_own():
    critic = keras.Sequential(
        [keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")], name="critic"
    )
    critic.compile(keras.optimizers.SGD(0.1), "mse")
    maker = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="maker")
    critic.trainable = False
    both = keras.Sequential([keras.Input((2,)), maker, critic])
    both.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.ones((4, 2), np.float32)
    for _ in range(3):
        before = critic.get_weights()
        with pytest.warns(UserWarning, match="trainable"):
            critic.train_on_batch(x, np.zeros((4, 1)))
        trained = critic.get_weights()
        assert not np.array_equal(before[0], trained[0])
        loss = both.train_on_batch(x, np.ones((4, 1)))
        for a, b in zip(trained, critic.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        # The loss was taken with the critic as it is now.
        assert loss != pytest.approx(both.test_on_batch(x, np.ones((4, 1))))
