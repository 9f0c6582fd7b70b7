"""Several steps in one run of ONNX Runtime are the steps that would have been taken one by one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.callbacks import Callback, LearningRateScheduler

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 6, 6, 2)).astype(np.float32)
Y = RNG.integers(0, 3, 22)


def train(steps, *, batch_size=4, epochs=2, optimizer="adam", callbacks=(), **options):
    """Weights, history and number of runs of a net with noise, statistics and a schedule."""
    seqonnx.set_random_seed(3)
    model = seqonnx.Sequential(
        [
            seqonnx.Input(shape=(6, 6, 2)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer,
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps,
    )
    history = model.fit(
        X, Y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=list(callbacks), **options
    )
    return model, history.history


def assert_same(one, other):
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [2, 5, 100])
def test_weights_and_logs_are_those_of_single_steps(steps):
    single, history = train(1)
    several, same = train(steps)
    assert_same(several, single)
    assert several.optimizer.iterations == single.optimizer.iterations == 12
    for name, values in history.items():
        np.testing.assert_allclose(same[name], values, rtol=1e-5)


def test_each_step_has_its_own_learning_rate_and_number():
    rate = seqonnx.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    models = [train(k, optimizer=seqonnx.optimizers.Adam(rate))[0] for k in (1, 5)]
    assert_same(*models)


def test_sample_weights_go_to_their_steps():
    weights = np.linspace(0, 1, 22)
    models = [train(k, sample_weight=weights)[0] for k in (1, 3)]
    assert_same(*models)


def test_callbacks_hear_of_the_last_step_of_each_run():
    heard = []

    class Listener(Callback):
        def on_train_batch_end(self, batch, logs=None):
            heard.append(batch)

    train(2, epochs=1, callbacks=[Listener()])
    assert heard == [1, 3, 4, 5]  # 22 samples: five batches of 4, one of 2


def test_a_rate_set_between_epochs_counts():
    halve = LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    models = [train(k, callbacks=[halve])[0] for k in (1, 5)]
    assert_same(*models)


def test_the_graph_is_one_scan_of_standard_operators(monkeypatch):
    from seqonnx.training import trainer

    built = []
    original = trainer.several_steps

    def recording(graph, steps):
        built.append(original(graph, steps))
        return built[-1]

    monkeypatch.setattr(trainer, "several_steps", recording)
    train(5, epochs=1)
    (graph,) = built
    model = onnx.load_model_from_string(graph.model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Scan"]
    assert graph.batch["steps/input"] == (5, 4, 6, 6, 2)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "auto", True])
def test_the_number_of_steps_is_checked(wrong):
    model = seqonnx.Sequential([seqonnx.Input(shape=(2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="`steps_per_execution` must be a positive integer"):
        model.compile("sgd", "mse", steps_per_execution=wrong)


def test_batches_with_and_without_weights_stay_apart():
    def data():
        for start in range(0, 20, 4):
            x, y = X[start : start + 4], Y[start : start + 4]
            yield (x, y) if start < 12 else (x, y, np.ones(4, np.float32))

    def run(steps):
        seqonnx.set_random_seed(3)
        model = seqonnx.Sequential(
            [seqonnx.Input(shape=(6, 6, 2)), layers.Flatten(), layers.Dense(3)]
        )
        loss = seqonnx.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, steps_per_execution=steps)
        model.fit(data(), verbose=0)
        return model

    assert_same(run(2), run(1))
