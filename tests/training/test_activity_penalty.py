"""An activity regularizer is a mean over the batch: its strength is the same for any batch size.

Figures marked "Keras" were computed with Keras 3.15.1 (torch backend) by the same calls.
"""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, regularizers

X, Y = np.ones((8, 2), np.float32), np.full((8, 1), 2.0, np.float32)


def penalised() -> layers.Dense:
    return layers.Dense(1, kernel_initializer="ones", activity_regularizer=regularizers.L2(1.0))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_evaluation_does_not_depend_on_the_batch_size(batch_size):
    """Each sample's output is 2 and its target is met: the penalty is 2^2, whatever the batch."""
    model = keras.Sequential([keras.Input((2,)), penalised()])
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, batch_size=batch_size, verbose=0) == pytest.approx(4.0)


@pytest.mark.parametrize("steps_per_execution", [1, 2])
@pytest.mark.parametrize(
    ("batch_size", "weighted", "losses", "kernel"),
    [
        (1, False, [2.964831, 2.124788], 0.709779),
        (3, False, [3.630648, 2.757279], 0.821468),
        (8, False, [4.0, 3.5488], 0.9248),
        (2, True, [3.607922, 3.230664], 0.888201),
        (3, True, [3.72103, 3.28165], 0.896377),
    ],
)
def test_training_is_that_of_keras(batch_size, weighted, losses, kernel, steps_per_execution):
    """Ragged last batches and sample weights, which the penalty does not look at, included."""
    model = keras.Sequential([keras.Input((2,)), penalised()])
    optimizer = keras.optimizers.SGD(0.01)
    model.compile(optimizer, "mse", steps_per_execution=steps_per_execution)
    history = model.fit(
        *(X, Y, batch_size),
        epochs=2,
        shuffle=False,
        verbose=0,
        sample_weight=np.arange(8, dtype=np.float32) if weighted else None,
    )
    assert history.history["loss"] == pytest.approx(losses, abs=2e-6)
    assert model.get_weights()[0].ravel() == pytest.approx([kernel] * 2, abs=2e-6)


def test_every_call_of_a_shared_layer_in_a_nested_model_counts_as_in_keras():
    inner_input, outer_input = keras.Input((2,)), keras.Input((2,))
    shared = layers.Dense(2, kernel_initializer="ones", activity_regularizer=regularizers.L1(0.1))
    inner = keras.Model(inner_input, shared(shared(inner_input)))
    output = layers.Dense(1, kernel_initializer="ones")(inner(inner(outer_input)))
    model = keras.Model(outer_input, output)
    model.compile(keras.optimizers.SGD(0.001), "mse")
    assert model.evaluate(X, Y, batch_size=3, verbose=0) == pytest.approx(906.0)
    history = model.fit(X, Y, batch_size=3, shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx([343.846558], rel=1e-6)  # Keras
    assert model.get_weights()[0] == pytest.approx(np.full((2, 2), -0.917447), abs=2e-6)


def test_images_are_penalised_per_sample_as_in_keras():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 6, 6, 2)).astype(np.float32)
    y = rng.normal(size=(5, 3)).astype(np.float32)
    convolution = layers.Conv2D(
        *(3, 3),
        kernel_initializer="ones",
        activation="relu",
        activity_regularizer=regularizers.L1L2(0.1, 0.2),
    )
    model = keras.Sequential([keras.Input((6, 6, 2)), convolution, layers.GlobalAveragePooling2D()])
    model.compile(keras.optimizers.SGD(0.001), "mse")
    assert model.evaluate(x, y, batch_size=2, verbose=0) == pytest.approx(71.283783, rel=1e-6)
    history = model.fit(x, y, batch_size=2, shuffle=False, epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx([70.844185, 68.534996], rel=1e-6)  # Keras


def test_every_output_of_a_layer_with_several_is_penalised():
    class Halves(layers.Layer):
        def call(self, op, x, training):
            return op.Split(x, num_outputs=2, axis=1, _outputs=2)

    inputs = keras.Input((2,))
    first, second = Halves(activity_regularizer="l1")(inputs)
    model = keras.Model(inputs, layers.Subtract()([first, second]))
    model.compile("sgd", "mse")
    loss = model.evaluate(X, np.zeros((8, 1)), batch_size=4, verbose=0)
    assert loss == pytest.approx(0.01 * 2)
