"""fit, evaluate and predict: their arguments, what they return, and what callbacks may do."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    TerminateOnNaN,
)


def make_model(**compile_options: object) -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )
    model.compile(**({"optimizer": "adam", "loss": "mse", "metrics": ["mae"]} | compile_options))
    return model


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 3))


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(20, 2))


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_history_holds_sorted_floats_and_the_epochs(x, y):
    model = make_model()
    history = model.fit(
        x, y, epochs=5, initial_epoch=3, validation_split=0.25, batch_size=8, verbose=0
    )
    assert history.epoch == [3, 4]
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert all(isinstance(v, float) for values in history.history.values() for v in values)
    assert history.params == {"verbose": 0, "epochs": 5, "steps": 2}
    assert model.history is history
    assert model.fit(x, y, verbose=0) is not history


def test_validation_takes_the_last_samples_and_does_not_train_on_them(x, y):
    model = make_model(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(x, y, validation_split=0.25, verbose=0).history
    assert history["val_loss"] == pytest.approx([model.evaluate(x[15:], y[15:], verbose=0)[0]])
    given = model.fit(x, y, validation_data=(x[15:], y[15:]), verbose=0).history
    assert given["val_loss"] == pytest.approx(history["val_loss"])
    weight = np.linspace(0, 1, 5)
    weighted = model.fit(
        x, y, validation_data=(x[15:], y[15:], weight), validation_batch_size=2, verbose=0
    ).history
    errors = np.square(model.predict(x[15:], verbose=0) - y[15:]).mean(axis=1)
    assert weighted["val_loss"] == pytest.approx([np.mean(errors * weight)], rel=1e-5)


@pytest.mark.parametrize(("frequency", "count"), [(2, 2), ([1, 4], 2), (1, 5)])
def test_validation_freq(x, y, frequency, count):
    history = make_model().fit(
        x, y, epochs=5, validation_split=0.5, validation_freq=frequency, verbose=0
    )
    assert len(history.history["val_loss"]) == count
    assert len(history.history["loss"]) == 5


@pytest.mark.parametrize("frequency", ["2", 0, 1.5])
def test_validation_freq_that_is_none(x, y, frequency):
    with pytest.raises(ValueError, match="validation_freq"):
        make_model().fit(x, y, validation_split=0.5, validation_freq=frequency, verbose=0)


def test_evaluate_and_batch_methods_return_what_keras_returns(x, y):
    model = make_model()
    values = model.evaluate(x, y, verbose=0)
    assert [type(v) for v in values] == [float, float]
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["loss", "mae"]
    alone = make_model(metrics=None)
    assert isinstance(alone.evaluate(x, y, verbose=0), float)
    assert isinstance(alone.train_on_batch(x, y), float)
    assert isinstance(alone.test_on_batch(x, y), float)
    assert set(model.train_on_batch(x, y, return_dict=True)) == {"loss", "mae"}
    assert model.predict(x, verbose=0).dtype == np.float32
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x, verbose=0))
    np.testing.assert_allclose(
        model.predict(x, batch_size=7, verbose=0), model(x), rtol=1e-6, atol=1e-7
    )


def test_steps_per_epoch_goes_on_where_the_epoch_before_ended(x, y):
    seen: list[int] = []

    def batches():
        while True:
            for start in range(0, 20, 5):
                seen.append(start)
                yield x[start : start + 5], y[start : start + 5]

    model = make_model()
    model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
    assert model.optimizer.iterations == 6
    assert seen[:6] == [0, 5, 10, 15, 0, 5]


def test_generator_equals_arrays_and_may_reuse_its_buffer(x, y):
    def run(data, **options):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(2)
        model = make_model()
        model.fit(*data, epochs=1, verbose=0, **options)
        return model.get_weights()

    def reusing():
        buffer, target = np.empty((5, 3), np.float32), np.empty((5, 2), np.float32)
        for start in range(0, 20, 5):
            buffer[:], target[:] = x[start : start + 5], y[start : start + 5]
            yield buffer, target

    expected = run((x, y), batch_size=5, shuffle=False)
    assert same(run((reusing(),)), expected)


def test_learning_rate_set_between_steps_needs_no_new_session(x, y, monkeypatch):
    built: list[str] = []
    from seqonnx.runtime import session as sessions

    original = sessions.Session.__init__

    def counting(self, *args, **kwargs):
        built.append(kwargs.get("name", ""))
        original(self, *args, **kwargs)

    monkeypatch.setattr(sessions.Session, "__init__", counting)
    model = make_model(optimizer=keras.optimizers.SGD(0.1))
    model.fit(x, y, epochs=2, batch_size=20, verbose=0)
    assert built == ["step"]
    before = model.get_weights()
    model.optimizer.learning_rate = 0.0
    model.fit(x, y, batch_size=20, verbose=0)
    assert same(before, model.get_weights())
    model.optimizer.learning_rate = 0.1
    model.fit(x, y, batch_size=20, verbose=0)
    assert not same(before, model.get_weights())
    assert built == ["step"]
    # Sessions with baked weights are rebuilt only after the weights have changed.
    for _ in range(3):
        model.evaluate(x, y, verbose=0)
        model.predict(x, verbose=0)
        model(x)
    assert built == ["step", "test step", "forward pass"]
    model.train_on_batch(x, y)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    assert built == ["step", *["test step", "forward pass"] * 2]


def test_schedule_gives_the_rate_of_each_step():
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(schedule), "mae")
    model.fit(np.ones((3, 1)), np.full((3, 1), 9.0), batch_size=1, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [[1.0 + 0.5 + 0.25]], rtol=1e-6)
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        model.optimizer.learning_rate = 0.1


def test_weights_come_to_the_host_only_when_asked(x, y, monkeypatch):
    from seqonnx.training import state

    received: list[str] = []
    original = state.Copy

    def counting(values, changed_at):
        received.extend(variable.path for variable in values)
        return original(values, changed_at)

    monkeypatch.setattr(state, "Copy", counting)
    model = make_model()
    model.fit(x, y, epochs=3, batch_size=4, verbose=0)
    assert received == []
    model.get_weights()
    count = len(received)
    assert count > 0
    model.get_weights()
    model.predict(x, verbose=0)
    assert len(received) == count


def test_host_work_of_a_step_does_not_grow_with_the_weights(x, y, monkeypatch):
    from seqonnx.graph import Variable

    touched = []
    original = Variable._changed_at.fget
    monkeypatch.setattr(
        Variable, "_changed_at", property(lambda self: touched.append(1) or original(self))
    )
    model = make_model()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=10, verbose=0)
    few = len(touched)
    touched.clear()
    model.fit(x, y, batch_size=1, verbose=0)
    assert len(touched) <= few


def test_recompile_starts_a_fresh_optimizer(x, y):
    model = make_model()
    model.fit(x, y, verbose=0)
    assert model.optimizer.iterations == 1
    optimizer = model.optimizer
    model.compile(optimizer, "mse")
    assert model.optimizer.iterations == 0
    before = model.get_weights()
    model.train_on_batch(x, y)
    # Adam's first step moves every weight that has a gradient by the learning rate.
    moved = np.abs(model.get_weights()[3] - before[3])
    np.testing.assert_allclose(moved, 0.001, rtol=1e-2)


def test_add_and_pop_after_compile_train_the_new_stack(x, y):
    model = make_model()
    model.fit(x, y, verbose=0)
    kept = model.get_weights()
    model.pop()
    assert same(model.get_weights(), kept[:2])
    model.add(layers.Dense(2, name="fresh"))
    assert model.compiled
    model.fit(x, y, verbose=0)
    assert not same(model.get_weights()[:2], kept[:2])


@pytest.mark.filterwarnings("ignore:.*has no trainable weights")
def test_frozen_weights_are_bit_identical_and_everything_frozen_runs(x, y):
    model = make_model()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    assert same(before[:2], after[:2])
    assert not same(before[2:], after[2:])
    model.trainable = False
    model.compile("adam", "mse")
    history = model.fit(x, y, epochs=2, verbose=0).history
    assert same(after, model.get_weights())
    assert len(history["loss"]) == 2


def test_trainable_changed_after_compile_warns_and_waits_for_the_next_compile(x, y):
    model = make_model()
    model.layers[0].trainable = False
    before = model.get_weights()
    with pytest.warns(UserWarning, match=r"Please recompile.*Changed layers: \['dense'\]"):
        model.fit(x, y, verbose=0)
    assert not same(before[:2], model.get_weights()[:2])
    model.evaluate(x, y, verbose=0)  # measuring does not warn
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert same(before[:2], model.get_weights()[:2])


def test_frozen_weights_that_are_set_take_effect(x, y):
    model = make_model(metrics=None)
    model.layers[0].trainable = False
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.train_on_batch(x, y)
    model.layers[0].set_weights([np.zeros((3, 4)), np.zeros(4)])
    assert model.train_on_batch(x, y) == pytest.approx(np.mean(y**2), rel=1e-5)


def test_weights_that_no_step_changes_can_be_set():
    class Shift(keras.Layer):
        def build(self, input_shape):
            self.by = self.add_weight((), "zeros", name="by", trainable=False)

        def call(self, op, x, training):
            return op.Add(x, self.by)

    shift = Shift()
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1), shift])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    zeros = np.zeros((1, 1))
    for value in (0.0, 2.0, 5.0, 7.0):
        shift.by.assign(value)
        for _ in range(3):
            assert model.train_on_batch(zeros, zeros) == pytest.approx(value)


def test_two_runs_of_one_seed_are_bit_identical(x, y):
    def run(seed: int):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(seed)
        model = make_model()
        history = model.fit(x, y, epochs=3, batch_size=6, validation_split=0.2, verbose=0)
        return history.history, model.get_weights()

    first, second, other = run(4), run(4), run(5)
    assert first[0] == second[0]
    assert same(first[1], second[1])
    assert not same(first[1], other[1])


def test_shuffling_draws_a_new_order_in_each_epoch():
    orders: list[list[int]] = []
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    trainer_rows = np.arange(12.0)[:, None]

    class Watch(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            orders.append([])

    from seqonnx.training.trainer import Trainer

    original = Trainer.stage_train

    def watching(self, batches, step):
        orders[-1].extend(batches[0].x[0][:, 0].astype(int).tolist())
        return original(self, batches, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "stage_train", watching)
        model.fit(
            trainer_rows, trainer_rows, epochs=2, batch_size=5, verbose=0, callbacks=[Watch()]
        )
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12))
    assert orders[0] != orders[1]
    assert orders[0] != list(range(12))


def test_set_weights_in_a_callback_counts_from_the_next_step(x, y):
    model = make_model(optimizer=keras.optimizers.SGD(0.0), metrics=None)
    losses: list[float] = []

    class Zero(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.set_weights([np.zeros_like(w) for w in self.model.get_weights()])

    def note(batch, logs):
        losses.append(logs["loss"])

    model.fit(
        x,
        y,
        batch_size=5,
        shuffle=False,
        verbose=0,
        callbacks=[LambdaCallback(on_train_batch_end=note), Zero()],
    )
    sums = np.diff([0, *(loss * 5 * (i + 1) for i, loss in enumerate(losses))])
    assert sums[1] != pytest.approx(np.mean(y[5:10] ** 2) * 5, rel=1e-3)
    np.testing.assert_allclose(sums[2], np.mean(y[10:15] ** 2) * 5, rtol=1e-4)
    np.testing.assert_allclose(sums[3], np.mean(y[15:20] ** 2) * 5, rtol=1e-4)


def test_get_weights_in_a_callback_gives_the_newest(x, y):
    model = make_model(optimizer="sgd")
    seen: list[list[np.ndarray]] = []
    model.fit(
        x,
        y,
        batch_size=5,
        verbose=0,
        callbacks=[
            LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(model.get_weights()))
        ],
    )
    assert len(seen) == 4
    for earlier, later in itertools.pairwise(seen):
        assert not same(earlier, later)
    assert same(seen[-1], model.get_weights())


def test_stop_training_ends_after_the_batch_and_the_epoch(x, y):
    model = make_model()

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    history = model.fit(x, y, epochs=4, batch_size=4, verbose=0, callbacks=[Stop()])
    assert model.optimizer.iterations == 2
    assert history.epoch == [0]
    assert len(model.fit(x, y, epochs=2, verbose=0).epoch) == 2


def test_early_stopping_restores_the_best_weights(x, y):
    model = make_model(optimizer=keras.optimizers.SGD(5.0), metrics=None)  # diverges
    stop = EarlyStopping("loss", patience=2, restore_best_weights=True)
    at_end: list[list[np.ndarray]] = []
    model.fit(
        x,
        y,
        epochs=20,
        verbose=0,
        callbacks=[
            LambdaCallback(on_epoch_end=lambda e, logs: at_end.append(model.get_weights())),
            stop,
        ],
    )
    assert len(at_end) < 20
    assert same(model.get_weights(), at_end[stop.best_epoch])


def test_model_checkpoint_writes_what_can_be_loaded(x, y, tmp_path):
    model = make_model()
    model.fit(
        x,
        y,
        epochs=2,
        verbose=0,
        callbacks=[
            ModelCheckpoint(tmp_path / "at-{epoch}.onnx"),
            ModelCheckpoint(tmp_path / "w-{epoch}.npz", save_weights_only=True),
        ],
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("at-1.onnx", "at-2.onnx", "w-1.npz", "w-2.npz")
    ]
    assert same(keras.load_model(tmp_path / "at-2.onnx").get_weights(), model.get_weights())
    model.load_weights(tmp_path / "w-1.npz")
    assert same(keras.load_model(tmp_path / "at-1.onnx").get_weights(), model.get_weights())


def test_nan_in_the_data_trains_on_unless_a_callback_ends_it(x, y):
    x[7] = np.nan
    model = make_model()
    history = model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    assert len(history.epoch) == 2
    assert np.isnan(history.history["loss"][0])
    model = make_model()
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, callbacks=[TerminateOnNaN()])
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupt_leaves_the_newest_weights_and_no_thread(x, y, error):
    model = make_model(optimizer="sgd")
    seen: list[list[np.ndarray]] = []

    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights())
            if batch == 2:
                raise error

    with pytest.raises(error):
        model.fit(x, y, epochs=3, batch_size=4, verbose=1, callbacks=[Interrupt()])
    assert same(model.get_weights(), seen[2])
    assert not [t for t in threading.enumerate() if t.name.startswith("seqonnx")]
    assert model.optimizer.iterations == 3
    model.fit(x, y, epochs=1, batch_size=4, verbose=0)
    assert model.optimizer.iterations == 8
    assert np.isfinite(model.predict(x, verbose=0)).all()


def test_error_in_a_generator_reaches_the_caller_and_ends_the_thread(x, y):
    def failing():
        yield x[:4], y[:4]
        raise OSError("the disk is gone")

    model = make_model()
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(failing(), verbose=0)
    assert not [t for t in threading.enumerate() if t.name.startswith("seqonnx")]
    model.fit(x, y, verbose=0)


def test_predict_on_nothing_gives_nothing_of_the_right_shape():
    model = keras.Sequential([keras.Input((4, 3)), layers.Dense(2)])
    out = model.predict(np.empty((0, 4, 3)), verbose=0)
    assert out.shape == (0, 4, 2)
    assert out.dtype == np.float32


def test_predict_from_a_generator_and_callbacks(x):
    model = make_model()
    shapes: list[tuple[int, ...]] = []
    note = LambdaCallback(on_predict_begin=lambda logs: shapes.append((0,)))

    class Note(Callback):
        def on_predict_batch_end(self, batch, logs=None):
            shapes.append(logs["outputs"].shape)

    found = model.predict(
        ((x[i : i + 6],) for i in range(0, 20, 6)), verbose=0, callbacks=[note, Note()]
    )
    np.testing.assert_allclose(found, model(x), rtol=1e-6, atol=1e-7)
    assert shapes == [(0,), (6, 2), (6, 2), (6, 2), (2, 2)]


def test_dataset_of_batches_with_validation_and_class_weight(x):
    class Data:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            rows = slice(5 * index, 5 * index + 5)
            return x[rows], (x[rows, 0] > 0).astype(int)

        def on_epoch_end(self):
            pass

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(Data(), epochs=2, validation_data=Data(), class_weight={0: 2.0}, verbose=0)
    assert len(history.history["val_accuracy"]) == 2
    assert model.optimizer.iterations == 8


def test_one_column_may_come_as_a_vector():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(6.0)
    model.fit(x, 2 * x, batch_size=4, verbose=0)
    assert model.predict(x, verbose=0).shape == (6, 1)
    np.testing.assert_array_equal(model(x), model(x[:, None]))


def test_compiled_before_built_trains(x, y):
    model = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    assert model.optimizer.iterations == 1


@pytest.mark.parametrize(
    ("output", "target", "kind"),
    [
        ((20, 1), (20,), "binary"),
        ((20, 1), (20, 1), "binary"),
        ((20, 4), (20,), "sparse"),
        ((20, 4), (20, 1), "sparse"),
        ((20, 4), (20, 4), "categorical"),
    ],
)
def test_accuracy_means_what_the_shapes_say(x, output, target, kind):
    rng = np.random.default_rng(0)
    loss = {
        "binary": "binary_crossentropy",
        "sparse": "sparse_categorical_crossentropy",
        "categorical": "categorical_crossentropy",
    }[kind]
    activation = "sigmoid" if kind == "binary" else "softmax"
    model = keras.Sequential([keras.Input((3,)), layers.Dense(output[1], activation=activation)])
    model.compile("sgd", loss, metrics=["acc"])
    labels = rng.integers(0, max(output[1], 2), 20)
    y = np.eye(4)[labels] if kind == "categorical" else labels.reshape(target)
    predicted = model.predict(x, verbose=0)
    decided = predicted[:, 0] > 0.5 if kind == "binary" else predicted.argmax(axis=1)
    logs = model.evaluate(x, y, batch_size=6, verbose=0, return_dict=True)
    assert logs["acc"] == pytest.approx(np.mean(decided == labels))


def test_own_loss_and_metric_functions(x, y):
    def absolute(op, y_true, y_pred):
        return op.ReduceMean(op.Abs(op.Sub(y_true, y_pred)), [-1], keepdims=0)

    model = make_model(loss=absolute, metrics=[absolute])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    expected = np.mean(np.abs(model.predict(x, verbose=0) - y))
    assert logs == pytest.approx({"loss": expected, "absolute": expected}, rel=1e-5)
    model.fit(x, y, verbose=0)
