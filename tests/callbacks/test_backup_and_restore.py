"""A training that was interrupted and taken up ends like one that was not, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import BackupAndRestore, Callback, LambdaCallback
from seqonnx.training.data import PyDataset

_rng = np.random.default_rng(3)
X = _rng.normal(size=(70, 6)).astype("float32")
Y = _rng.integers(0, 3, 70)


class Crash(Callback):
    """Ends the training with an error after some batches."""

    def __init__(self, after):
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def make(seed, optimizer="adam", **options):
    """A model with noise, moving statistics, slots and metrics."""
    keras.config.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def data(kind):
    """Arguments of `fit` for a kind of data."""
    if kind == "arrays":
        return {"x": X, "y": Y, "batch_size": 16}
    if kind == "part of the arrays":
        return {"x": X, "y": Y, "batch_size": 16, "steps_per_epoch": 3}
    if kind == "dataset":
        return {"x": Numbered()}
    return {
        "x": ((X[i : i + 16], Y[i : i + 16]) for i in [0, 16, 32, 48] * 9),
        "steps_per_epoch": 5,
    }


class Numbered(PyDataset):
    """Batches by their number."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index * 16 : index * 16 + 16], Y[index * 16 : index * 16 + 16]


def run(seed, kind, crashes, folder, *, make=make, **options):
    """Train to the end with crashes on the way; returns weights, slots and the history."""
    arguments = {"epochs": 4, "verbose": 0, "validation_data": (X[:9], Y[:9])}
    for number, after in enumerate((*crashes, None)):
        model = make(seed + number)
        callbacks = [BackupAndRestore(folder, **options)]
        if after is None:
            history = model.fit(**data(kind), **arguments, callbacks=callbacks)
            slots = [variable.numpy() for variable in model.optimizer.variables]
            return model.get_weights(), slots, history
        with pytest.raises(KeyboardInterrupt):
            model.fit(**data(kind), **arguments, callbacks=[*callbacks, Crash(after)])
    raise AssertionError


def same(first, second):
    """Whether weights and slots are the same bits."""
    return all(
        a.tobytes() == b.tobytes()
        for one, other in zip(first[:2], second[:2], strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Trainings without a crash, by the kind of data."""
    found = {}

    def of(kind):
        if kind not in found:
            found[kind] = run(1, kind, (), tmp_path_factory.mktemp("whole") / "b")
        return found[kind]

    return of


@pytest.mark.parametrize("kind", ["arrays", "part of the arrays", "dataset", "generator"])
def test_crashes_in_the_middle_of_epochs_leave_no_trace(kind, undisturbed, tmp_path):
    whole = undisturbed(kind)
    crashed = run(1, kind, (7, 4), tmp_path / "b", save_freq=1)
    assert same(whole, crashed)
    epochs = crashed[2].epoch
    assert epochs == list(range(4))[-len(epochs) :]
    for name, values in whole[2].history.items():  # of the epoch that was interrupted, too
        assert crashed[2].history[name] == values[-len(epochs) :]


@pytest.mark.parametrize(("after", "save_freq"), [(4, 3), (14, 3), (6, "epoch"), (10, "epoch")])
def test_training_goes_on_from_the_newest_backup(after, save_freq, undisturbed, tmp_path):
    crashed = run(1, "arrays", (after,), tmp_path / "b", save_freq=save_freq)
    assert same(undisturbed("arrays"), crashed)


def test_epoch_that_was_complete_is_only_measured(undisturbed, tmp_path):
    crashed = run(1, "arrays", (5,), tmp_path / "b", save_freq=1)
    assert same(undisturbed("arrays"), crashed)
    assert crashed[2].history == undisturbed("arrays")[2].history


def test_several_steps_in_one_run_are_counted(tmp_path):
    def several(seed):
        return make(seed, steps_per_execution=2)

    whole = run(1, "arrays", (), tmp_path / "a", make=several)
    assert same(whole, run(1, "arrays", (2, 1), tmp_path / "b", make=several, save_freq=2))


def test_learning_rate_that_was_set_and_steps_of_the_optimizer_are_kept(tmp_path):
    def change(model):
        def at(epoch, logs):
            if epoch == 1:
                model.optimizer.learning_rate = 0.02

        return LambdaCallback(on_epoch_end=at)

    def fit(model, folder, *more):
        callbacks = [change(model), BackupAndRestore(folder), *more]
        model.fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=callbacks)
        return model.get_weights(), []

    whole = fit(make(1), tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        fit(make(1), tmp_path / "b", Crash(12))
    model = make(2)
    assert same(whole, fit(model, tmp_path / "b"))
    assert model.optimizer.iterations == 20
    assert model.optimizer.learning_rate == 0.02


def test_backup_is_removed_at_the_end_or_kept_as_asked(tmp_path):
    folder = tmp_path / "deep" / "b"
    run(1, "arrays", (), folder)
    assert not folder.exists()
    run(1, "arrays", (), folder, delete_checkpoint=False)
    assert [path.name for path in folder.iterdir()] == ["latest.npz"]
    weights, _, history = run(2, "arrays", (), folder, delete_checkpoint=False)
    assert history.epoch == []  # all that was asked for was done
    assert run(3, "arrays", (), folder)[0][0].tobytes() == weights[0].tobytes()


def test_damaged_backup_is_named_and_the_one_before_is_used(undisturbed, tmp_path):
    folder = tmp_path / "b"
    callbacks = [BackupAndRestore(folder, 2, double_checkpoint=True), Crash(7)]
    with pytest.raises(KeyboardInterrupt):
        make(1).fit(X, Y, batch_size=16, epochs=4, verbose=0, callbacks=callbacks)
    latest = folder / "latest.npz"
    latest.write_bytes(latest.read_bytes()[:-300])
    assert same(undisturbed("arrays"), run(5, "arrays", (), folder, delete_checkpoint=False))
    for path in folder.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(keras.errors.ModelFileError, match=r"latest.npz.*is damaged"):
        run(5, "arrays", (), folder)


def test_backup_of_another_model_is_refused(tmp_path):
    callbacks = [BackupAndRestore(tmp_path / "b", 1), Crash(2)]
    with pytest.raises(KeyboardInterrupt):
        make(1).fit(X, Y, verbose=0, callbacks=callbacks)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"is of another model: it holds \d+ weights and slots"):
        model.fit(X, Y, verbose=0, callbacks=[BackupAndRestore(tmp_path / "b")])


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="Empty `backup_dir` argument passed"):
        BackupAndRestore("")
    for wrong in ("batch", 1.5, -1):
        with pytest.raises(ValueError, match="Expected either 'epoch' or an integer value"):
            BackupAndRestore("b", save_freq=wrong)
    with pytest.raises(RuntimeError, match="BackupAndRestore works in `fit`"):
        BackupAndRestore("b").on_epoch_end(0)


def test_without_a_frequency_nothing_is_saved(tmp_path):
    run(1, "arrays", (), tmp_path / "b", save_freq=False, delete_checkpoint=False)
    assert not (tmp_path / "b").exists()
