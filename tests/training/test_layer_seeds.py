"""Seeds of layers: what is drawn follows them in training, whatever the seed of the process is.

In Keras each layer with a `seed` has a generator of its own: equal models draw the same masks in
`fit` after any `set_random_seed`, two layers of one seed draw the same, and a `SeedGenerator` that
a layer gives to `keras.random` moves on with every step, where a number does not (`keras.random` is
stateless there). Keras refuses a `SeedGenerator` as the seed of a layer.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import initializers, layers, random
from support.training.plain_driver import PlainDriver

X = np.random.default_rng(0).normal(size=(24, 4, 6)).astype("float32")
Y = X[:, 0, :1]


@keras.saving.register_keras_serializable("seeds")
class OwnNoise(layers.Layer):
    """A layer as users of Keras write it: it draws from a generator of its own."""

    def __init__(self, seed: Any = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, x: Any, training: bool = False) -> Any:
        return random.dropout(x, 0.5, seed=self.seed_generator) if training else x


class SelfAttention(layers.Layer):
    def __init__(self, seed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.MultiHeadAttention(2, 3, dropout=0.5, seed=seed)

    def call(self, x: Any) -> Any:
        return self.inner(x, x)


class Luong(layers.Layer):
    def __init__(self, seed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.Attention(dropout=0.5, seed=seed)

    def call(self, x: Any) -> Any:
        return self.inner([x, x])


class OwnCell(layers.Layer):
    """A cell of the user's own around one of Keras's."""

    state_size = 5
    output_size = 5

    def __init__(self, seed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.SimpleRNNCell(5, dropout=0.5, seed=seed)

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        return self.inner(x, states, training=training)


def pictures(layer: Any) -> Any:
    """Layers around one on images, of the same input as the others'."""
    return [layers.Reshape((4, 6, 1)), layer, layers.Flatten()]


DRAWING = {
    "dropout": lambda seed: [layers.Dropout(0.5, seed=seed)],
    "shaped": lambda seed: [layers.Dropout(0.5, noise_shape=(None, 1, 6), seed=seed)],
    "spatial": lambda seed: [layers.SpatialDropout1D(0.5, seed=seed)],
    "alpha": lambda seed: [layers.AlphaDropout(0.5, seed=seed)],
    "gaussian": lambda seed: [layers.GaussianNoise(0.5, seed=seed)],
    "gaussian dropout": lambda seed: [layers.GaussianDropout(0.5, seed=seed)],
    "lstm": lambda seed: [layers.LSTM(5, dropout=0.5, seed=seed)],
    "gru": lambda seed: [layers.GRU(5, recurrent_dropout=0.5, seed=seed)],
    "stacked": lambda seed: [
        layers.RNN([layers.LSTMCell(5, dropout=0.5, seed=seed), layers.GRUCell(5)])
    ],
    "own cell": lambda seed: [layers.RNN(OwnCell(seed))],
    "both ways": lambda seed: [layers.Bidirectional(layers.LSTM(5, dropout=0.5, seed=seed))],
    "each time": lambda seed: [layers.TimeDistributed(layers.Dropout(0.5, seed=seed))],
    "attention": lambda seed: [Luong(seed)],
    "heads": lambda seed: [SelfAttention(seed)],
    "contrast": lambda seed: pictures(layers.RandomContrast(0.9, value_range=(0, 1), seed=seed)),
    "rotation": lambda seed: pictures(layers.RandomRotation(0.4, seed=seed)),
    "pipeline": lambda seed: pictures(layers.Pipeline([layers.RandomZoom(0.4, seed=seed)])),
    "generator": lambda seed: [OwnNoise(seed)],
}


def model_of(drawing: list[Any], **compiled: Any) -> keras.Sequential:
    keras.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4, 6)), *drawing, layers.Flatten(), layers.Dense(1, name="last")]
    )
    model.compile(**{"optimizer": keras.optimizers.SGD(0.01), "loss": "mse"} | compiled)
    return model


def trained(model: Any, seed: int, epochs: int = 2) -> list[Any]:
    keras.set_random_seed(seed)
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


def same(one: list[Any], other: list[Any]) -> bool:
    return all(map(np.array_equal, one, other))


@pytest.mark.parametrize("kind", DRAWING)
def test_equal_seeds_train_equally_whatever_the_seed_of_the_process(kind):
    make = DRAWING[kind]
    first = trained(model_of(make(3)), seed=1)
    assert same(first, trained(model_of(make(3)), seed=2))
    assert not same(first, trained(model_of(make(4)), seed=1))


def test_without_a_seed_the_process_decides():
    runs = [trained(model_of([layers.Dropout(0.5)]), seed) for seed in (1, 1, 2)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_a_seed_leaves_the_draws_of_other_layers_as_they_are():
    def pair(seed: int | None) -> list[Any]:
        return [layers.GaussianNoise(1e-30, seed=seed), layers.Dropout(0.5)]

    assert same(trained(model_of(pair(None)), 1), trained(model_of(pair(3)), 1))


@pytest.mark.parametrize("kind", ["dropout", "lstm", "generator"])
def test_batches_alone_and_several_steps_in_a_run_draw_the_same(kind):
    make = DRAWING[kind]
    expected = trained(model_of(make(3)), 1, epochs=1)
    model = model_of(make(3))
    keras.set_random_seed(2)
    for start in (0, 8, 16):
        model.train_on_batch(X[start : start + 8], Y[start : start + 8])
    assert same(model.get_weights(), expected)
    several = trained(model_of(make(3), steps_per_execution=3), 3, epochs=1)
    np.testing.assert_allclose(several[-2], expected[-2], atol=1e-6)


def test_a_training_step_of_ones_own_draws_the_same():
    class Own(keras.Model):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.drop = layers.Dropout(0.5, seed=seed)
            self.flat, self.last = layers.Flatten(), layers.Dense(1, kernel_initializer="ones")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.last(self.flat(self.drop(x, training=training)))

        def train_step(self, data: Any) -> Any:
            x, y = data

            with keras.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    def run(seed: int, process: int) -> list[Any]:
        model = Own(seed)
        model.compile(keras.optimizers.SGD(0.01), "mse")
        model.build((None, 4, 6))
        return trained(model, process)

    assert same(run(3, 1), run(3, 2))
    assert not same(run(3, 1), run(4, 1))


@pytest.mark.parametrize("kind", ["dropout", "gru", "generator"])
def test_a_resumed_run_is_the_undisturbed_one(kind, tmp_path):
    make = DRAWING[kind]
    expected = trained(model_of(make(3)), 1, epochs=2)
    model = model_of(make(3))
    trained(model, 1, epochs=1)
    model.save(tmp_path / "half.onnx")
    assert same(trained(keras.models.load_model(tmp_path / "half.onnx"), 9, epochs=1), expected)


def test_two_layers_of_one_seed_draw_the_same_mask_and_a_shared_layer_draws_anew():
    x = keras.Input((6,))
    first, second = (layers.Dropout(0.5, seed=3)(x) for _ in range(2))
    shared = layers.Dropout(0.5, seed=3)
    model = keras.Model(x, [first, second, shared(x), shared(x)])
    one, other, third, fourth = model(np.ones((8, 6), np.float32), training=True)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, third)
    assert np.any(third != fourth)


def test_a_number_as_seed_of_a_function_gives_every_step_the_same():
    class Fixed(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return random.dropout(x, 0.5, seed=11)

    model = keras.Sequential([keras.Input((6,)), Fixed()])
    ones = np.ones((5, 6), np.float32)
    expected = random.dropout(ones, 0.5, seed=11)
    np.testing.assert_array_equal(model.predict(ones, verbose=0), expected)
    np.testing.assert_array_equal(model(ones, training=True), expected)


def test_a_generator_moves_on_in_prediction_whatever_the_seed_of_the_process():
    class Always(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seed_generator = random.SeedGenerator(5)

        def call(self, x: Any) -> Any:
            return x + random.normal((2, 3), seed=self.seed_generator)

    zeros, drawn = np.zeros((2, 3), np.float32), []
    for process in (1, 2):
        model = keras.Sequential([keras.Input(batch_shape=(2, 3)), Always()])
        keras.set_random_seed(process)
        drawn.append([model.predict(zeros, verbose=0) for _ in range(2)])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0][0] != drawn[0][1])


def test_a_compiled_function_gives_a_generator_its_turns():
    source = random.SeedGenerator(5)
    draw = keras.function(lambda x: x + random.normal((3,), seed=source))
    zeros = np.zeros(3, np.float32)
    first, second = draw(zeros), draw(zeros)
    assert np.any(first != second)
    source = random.SeedGenerator(5)
    again = keras.function(lambda x: x + random.normal((3,), seed=source))
    keras.set_random_seed(8)
    np.testing.assert_array_equal(again(zeros), first)


@pytest.mark.parametrize("kind", ["dropout", "gaussian", "lstm"])
def test_calls_on_data_are_a_sequence_of_the_seed(kind):
    calls = []
    for process in (1, 2):
        keras.set_random_seed(3)
        (layer,) = DRAWING[kind](3)
        layer.build((None, 4, 6))
        keras.set_random_seed(process)
        calls.append([layer(X, training=True) for _ in range(2)])
    np.testing.assert_array_equal(calls[0], calls[1])
    assert np.any(calls[0][0] != calls[0][1])


def test_a_changed_seed_counts_from_the_next_step_on():
    model = model_of([layers.Dropout(0.5, seed=3, name="drop")])
    trained(model, 1, epochs=1)
    other = copy.deepcopy(model)
    assert same(trained(model, 1, epochs=1), trained(other, 2, epochs=1))
    model, other = (model_of([layers.Dropout(0.5, seed=s, name="drop")]) for s in (3, 4))
    model.layers[0].seed = 4
    assert same(trained(model, 1), trained(other, 1))


def test_the_training_in_files_draws_the_same(tmp_path):
    pytest.importorskip("safetensors", reason="the state is a .safetensors file")

    class Fixed(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return random.dropout(x, 0.2, seed=2**40 + 11) if training else x

    drawing = [layers.Dropout(0.3), Fixed(), layers.Dropout(0.5, seed=3), OwnNoise(2**40 + 5)]
    model = model_of(drawing)
    model.export_training(tmp_path)
    driver = PlainDriver(tmp_path)
    own = [
        {"seed", "stream", "counts_steps"} <= set(spec)
        for spec in driver.manifest["graphs"]["train"]["noise"]
    ]
    assert own == [False, True, True, True]
    for start in (0, 8, 16):
        batch = X[start : start + 8], Y[start : start + 8]
        expected = model.train_on_batch(*batch, return_dict=True)
        assert driver.train_on_batch(*batch) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", ["3", 2.5, True, random.SeedGenerator(7)])
@pytest.mark.parametrize(
    "make",
    [
        lambda seed: layers.Dropout(0.5, seed=seed),
        lambda seed: layers.GaussianNoise(0.5, seed=seed),
        lambda seed: layers.LSTM(2, seed=seed),
        lambda seed: layers.Attention(dropout=0.1, seed=seed),
        lambda seed: layers.RandomFlip(seed=seed),
    ],
)
def test_another_seed_is_refused(make, seed):
    with pytest.raises(ValueError, match=r"Argument `seed` must be an integer\. Received: seed="):
        make(seed)


def test_a_generator_without_a_seed_follows_the_run_so_that_it_resumes(tmp_path):
    model = model_of([OwnNoise(None)])
    trained(model, 1, epochs=1)
    model.save(tmp_path / "half.onnx")
    expected = trained(model, 2, epochs=1)
    assert same(trained(keras.models.load_model(tmp_path / "half.onnx"), 9, epochs=1), expected)


def test_initializers_take_a_generator_which_moves_on():
    one, other = (initializers.RandomNormal(seed=random.SeedGenerator(4)) for _ in range(2))
    first = one((3, 2))
    assert np.any(first != one((3, 2)))
    np.testing.assert_array_equal(first, other((3, 2)))
    saved = initializers.deserialize(initializers.serialize(initializers.GlorotUniform(seed=5)))
    np.testing.assert_array_equal(saved((2, 2)), initializers.GlorotUniform(seed=5)((2, 2)))
    again = initializers.deserialize(initializers.serialize(other))
    np.testing.assert_array_equal(again((3, 2)), first)
