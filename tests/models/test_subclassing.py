"""A subclass of Model with its own `call` is traced into the layer graph."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


class Net(keras.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="relu", name="hidden")
        self.drop = layers.Dropout(0.5, name="drop")
        self.out = layers.Dense(1, name="out")

    def call(self, x, training=None):
        h = self.hidden(x)
        if training:
            h = self.drop(h, training=training)
        return self.out(h) * 2.0


def by_hand(model, x):
    (k, b), (w, c) = model.hidden.get_weights(), model.out.get_weights()
    return (np.maximum(x @ k + b, 0.0) @ w + c) * 2.0


def test_it_computes_trains_and_shows_its_layers(capsys):
    model = Net()
    np.testing.assert_allclose(model(X), by_hand(model, X), rtol=1e-5)
    assert [layer.name for layer in model.layers] == ["hidden", "drop", "out"]
    assert [w.path for w in model.weights][:2] == ["hidden/kernel", "hidden/bias"]
    model.compile("sgd", "mse")
    losses = model.fit(X, X[:, :1], epochs=4, verbose=0).history["loss"]
    assert np.all(np.isfinite(losses))
    np.testing.assert_allclose(model.predict(X, verbose=0), by_hand(model, X), rtol=1e-5)
    model.summary()
    assert "hidden (Dense)" in capsys.readouterr().out


def test_a_condition_on_training_holds_in_training_only():
    class Doubled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, "linear", False, "ones", name="d")

        def call(self, x, training=None):
            y = self.dense(x)
            return y * 10.0 if training else y

    model = Doubled()
    np.testing.assert_allclose(model(X), X.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(model(X, training=True), 10 * X.sum(1, keepdims=True), rtol=1e-5)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    zeros = np.zeros((8, 1), np.float32)
    loss = model.fit(X, zeros, batch_size=8, verbose=0).history["loss"][0]
    assert loss == pytest.approx(100 * np.mean(X.sum(1) ** 2), rel=1e-5)
    assert model.evaluate(X, zeros, verbose=0) == pytest.approx(np.mean(X.sum(1) ** 2), rel=1e-5)


def test_it_fits_before_it_was_called_and_goes_on_after_it_was_saved(tmp_path):
    model = Net(5)
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    model.save(tmp_path / "m.onnx")
    assert model.get_config() == {"name": model.name, "units": 5}
    loaded = keras.load_model(tmp_path / "m.onnx", custom_objects={"Net": Net})
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    for each in (model, loaded):
        each.optimizer.learning_rate = 0.05
    assert loaded.optimizer.iterations == model.optimizer.iterations


class Several(keras.Model):
    def __init__(self):
        super().__init__()
        self.w = self.add_weight((3, 2), "ones", name="w")
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return {"a": self.dense(inputs["x"]), "b": inputs["y"] @ self.w}


def test_dicts_of_inputs_and_outputs_and_weights_of_its_own():
    model = Several()
    given = model({"x": X, "y": X})
    np.testing.assert_allclose(given["b"], X.sum(1, keepdims=True).repeat(2, 1), rtol=1e-5)
    assert next(w.path for w in model.weights).endswith("/w")
    assert len(model.trainable_weights) == 3
    assert sorted(model.predict({"y": X, "x": X}, verbose=0)) == ["a", "b"]


def test_it_is_a_layer_of_another_model():
    x = keras.Input((3,))
    inner = Net()
    model = keras.Model(x, layers.Dense(1)(inner(x)))
    assert len(model.trainable_weights) == 6
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    np.testing.assert_allclose(inner(X), by_hand(inner, X), rtol=1e-5)


def test_what_is_no_tensor_is_refused():
    class Nothing(keras.Model):
        def call(self, x):
            return None

    with pytest.raises(ValueError, match=r"must return a tensor.*Received: None"):
        Nothing()(X)


def test_a_model_adds_losses_in_its_call():
    class Penalized(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="dense")

        def call(self, x, training=None):
            y = self.dense(x)
            self.add_loss([y * y, y[0, 0]])
            return y

    model = Penalized()
    model.compile("sgd", "mse")
    y = model.predict(X, verbose=0)
    expected = np.mean(y**2) + np.sum(y**2) + y[0, 0]
    targets = np.zeros_like(y)
    assert model.evaluate(X, targets, verbose=0) == pytest.approx(expected, rel=1e-5)
    kernel = model.dense.get_weights()[0]
    model.fit(X, targets, shuffle=False, verbose=0)
    gradient = X.T @ (2 * y / y.size + 2 * y)
    gradient[:, 0] += X[0]
    np.testing.assert_allclose(model.dense.get_weights()[0], kernel - 0.01 * gradient, rtol=1e-4)
    model.summary(print_fn=lambda text: None)


def test_add_loss_outside_of_call_says_where_it_works():
    with pytest.raises(RuntimeError, match=r"`add_loss` of layer 'net' works inside of its `call`"):
        Net(name="net").add_loss(1.0)


def test_a_model_of_several_inputs_is_built_by_the_arrays_of_a_tuple(tmp_path):
    class Towers(keras.Model):
        def __init__(self):
            super().__init__()
            self.left, self.right = layers.Dense(1, name="left"), layers.Dense(1, name="right")

        def call(self, inputs):
            a, b = inputs
            return self.left(a) + self.right(b)

    for kind in (tuple, list):
        model = Towers()
        parts = kind([X[:, :1], X[:, 1:]])
        y = model.predict(parts, verbose=0)
        np.testing.assert_allclose(y, model.left(X[:, :1]) + model.right(X[:, 1:]), rtol=1e-5)
        model.compile("sgd", "mse")
        model.fit(parts, y, verbose=0)


class Block(layers.Layer):
    """Holds a stack that is built at the first call, and one that `build` builds itself."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.stack = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(units)])
        self.net = Net(units=2)

    def build(self, input_shape):
        self.gate = layers.Dense(1, name="gate")
        self.gate.build(input_shape)
        self.built = True

    def call(self, x, training=None):
        return self.stack(x) * self.gate(x) + self.net(x)


def test_models_inside_a_layer_are_built_at_its_first_call():
    x = keras.Input((3,))
    block = Block(2)
    model = keras.Model(x, block(x))
    expected = block.stack(X) * block.gate(X) + block.net(X)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5)
    before = model.get_weights()
    assert len(before) == 10
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed)


def test_built_can_be_set_by_a_model(tmp_path):
    class Set(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def build(self, input_shape):
            self.dense.build(input_shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

    model = Set()
    assert not model.built
    assert model(X).shape == (8, 1)
    assert model.built
