"""A setting changed on a layer that was used takes effect everywhere, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, regularizers
from seqonnx.graph import last_setting

X = np.array([[-3.0, -1.0, 2.0, 9.0]], np.float32)


def identity():
    return layers.Dense(4, use_bias=False, kernel_initializer="identity")


CASES = {
    "Dense.activation": (identity, "activation", "relu", np.maximum(X, 0)),
    "Activation.activation": (lambda: layers.Activation("relu"), "activation", None, X),
    "ReLU.max_value": (layers.ReLU, "max_value", 6, np.clip(X, 0, 6)),
    "ReLU.negative_slope": (layers.ReLU, "negative_slope", 0.5, [[-1.5, -0.5, 2, 9]]),
    "ReLU.threshold": (layers.ReLU, "threshold", 2, [[0, 0, 0, 9]]),
    "LeakyReLU": (layers.LeakyReLU, "negative_slope", 1, X),
    "ELU.alpha": (layers.ELU, "alpha", 0.0, np.maximum(X, 0)),
    "Rescaling.scale": (lambda: layers.Rescaling(2.0), "scale", 3.0, 3 * X),
    "Rescaling.offset": (lambda: layers.Rescaling(2.0), "offset", 1.0, 2 * X + 1),
    "BatchNormalization.epsilon": (
        *(lambda: layers.BatchNormalization(epsilon=0.0), "epsilon", 3.0),
        X / 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_setting_takes_effect_after_every_kind_of_use(name, tmp_path):
    make, attribute, value, expected = CASES[name]
    layer = make()
    model = keras.Sequential([keras.Input((4,)), layer, identity()])
    model.compile(keras.optimizers.SGD(0.0), "mse")

    def uses():
        """Outputs of the layer, of the model, and the losses of measuring and training."""
        outputs = [layer(X), model(X), model.predict(X, verbose=0), model(X, training=False)]
        losses = [
            model.evaluate(X, 0 * X, verbose=0),
            model.test_on_batch(X, 0 * X),
        ]
        if not isinstance(layer, layers.BatchNormalization):
            outputs.append(model(X, training=True))
            losses.append(model.train_on_batch(X, 0 * X))
            losses.append(model.fit(X, 0 * X, verbose=0).history["loss"][0])
        return outputs, losses

    before = uses()[0][0]
    assert np.abs(before - expected).max() > 0.1
    setattr(layer, attribute, value)
    outputs, losses = uses()
    for output in outputs:
        np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-6)
    assert losses == pytest.approx([np.square(expected).mean()] * len(losses), rel=1e-5)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_allclose(loaded(X), expected, rtol=1e-6, atol=1e-6)


def test_dense_without_its_activation_gives_what_the_activation_got():
    """The way to logits of a trained classifier; any time, before the first use, too."""
    dense = layers.Dense(4, "softmax", kernel_initializer="identity")
    model = keras.Sequential([keras.Input((4,)), dense])
    assert model.predict(X, verbose=0).sum() == pytest.approx(1.0)
    dense.activation = None
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)
    assert dense.get_config()["activation"] == "linear"
    fresh = layers.Dense(4, "softmax", kernel_initializer="identity")
    fresh.activation = None
    np.testing.assert_array_equal(fresh(X), X)


def test_the_rate_of_dropout_takes_effect_in_the_next_step():
    """Without the dropout the step has no noise; with it, everything is dropped."""
    dropout = layers.Dropout(0.0)
    model = keras.Sequential([keras.Input((4,)), identity(), dropout])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    assert model.train_on_batch(X, 0 * X) == pytest.approx((X**2).mean())
    for rate, loss in ((1.0, 0.0), (0.0, (X**2).mean())):
        dropout.rate = rate
        assert model.train_on_batch(X, 0 * X) == pytest.approx(loss)
    dropout.rate = 0.5
    assert model.train_on_batch(X, 0 * X) != pytest.approx((X**2).mean())


def test_an_activity_regularizer_takes_effect_later():
    dense = identity()
    model = keras.Sequential([keras.Input((4,)), dense])
    model.compile("sgd", "mse")
    assert model.evaluate(X, X, verbose=0) == pytest.approx(0.0)
    dense.activity_regularizer = regularizers.L2(1.0)
    assert model.evaluate(X, X, verbose=0) == pytest.approx((X**2).sum())


@pytest.mark.parametrize(
    ("make", "shape", "attribute", "value"),
    [
        (lambda: layers.Dense(2), (4,), "units", 3),
        (lambda: layers.Dense(2), (4,), "use_bias", False),
        (lambda: layers.Dense(2), (4,), "kernel_regularizer", "l2"),
        (lambda: layers.Dense(2), (4,), "bias_constraint", "non_neg"),
        (lambda: layers.Conv2D(2, 3), (5, 5, 1), "use_bias", False),
        (lambda: layers.Conv2D(2, 3), (5, 5, 1), "strides", (2, 2)),
        (lambda: layers.Conv1D(2, 3), (5, 1), "filters", 3),
        (lambda: layers.SeparableConv2D(2, 3), (5, 5, 1), "depth_multiplier", 3),
        (lambda: layers.DepthwiseConv2D(3), (5, 5, 1), "padding", "same"),
        (layers.GlobalMaxPooling2D, (4, 4, 1), "keepdims", True),
        (lambda: layers.ZeroPadding2D(1), (4, 4, 1), "data_format", "channels_first"),
        (layers.BatchNormalization, (4,), "center", False),
        (lambda: layers.MaxPooling2D(2), (4, 4, 1), "strides", (1, 1)),
        (lambda: layers.Reshape((2, 2)), (4,), "target_shape", (4, 1)),
    ],
)
def test_what_weights_and_shapes_depend_on_is_refused(make, shape, attribute, value):
    layer = make()
    setattr(layer, attribute, getattr(layer, attribute))
    keras.Sequential([keras.Input(shape), layer])
    with pytest.raises(AttributeError, match=rf"`{attribute}` of layer '{layer.name}' cannot"):
        setattr(layer, attribute, value)


def test_a_setting_that_is_not_legal_is_refused():
    with pytest.raises(ValueError, match="Invalid value received for argument `rate`"):
        layers.Dropout(0.5).rate = 2.0
    with pytest.raises(ValueError, match="Could not interpret activation function identifier"):
        layers.Dense(2).activation = "no"
    with pytest.raises(ValueError, match="negative_slope of a ReLU layer cannot be a negative"):
        layers.ReLU().negative_slope = -1.0


def test_setting_the_value_that_is_there_leaves_graphs_as_they_are():
    drop = layers.Dropout(0.25)
    before = last_setting()
    drop.rate = 0.25
    assert last_setting() == before
    drop.rate = 0.5
    assert last_setting() > before


def test_a_built_layer_takes_the_value_that_it_has():
    layer = layers.Dense(2, use_bias=True)
    layer.build((None, 3))
    layer.use_bias = True
    with pytest.raises(AttributeError, match="cannot change after the layer is built"):
        layer.use_bias = False


def test_calls_of_settings_that_are_gone_are_not_kept():
    model = keras.Sequential([keras.Input((2,)), layers.Dropout(0.1)])
    for rate in (0.2, 0.3, 0.4):
        model.layers[0].rate = rate
        model(np.ones((1, 2)), training=True)
    assert len(model._sessions._training_calls) == 1
