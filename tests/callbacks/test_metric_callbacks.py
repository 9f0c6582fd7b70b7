"""Callbacks that watch a metric decide as their documentation says."""

from __future__ import annotations

import math

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.callbacks import (
    CallbackList,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from seqonnx.callbacks.monitor import Monitor

NAN = float("nan")


def train(model, callback, values, name="val_loss", console=None):
    """Run epochs with the given values of a metric; returns the history."""
    callbacks = CallbackList([callback], model=model, console=console, add_history=True)
    model.stop_training = False
    callbacks.on_train_begin()
    for epoch, value in enumerate(values):
        callbacks.on_epoch_begin(epoch)
        model.weight = epoch + 1.0
        callbacks.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    callbacks.on_train_end()
    return callbacks.history


def epochs_run(*args):
    """How many epochs `train` ran."""
    return len(train(*args).epoch)


def text(console):
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("name", "maximize"),
    [
        ("loss", False),
        ("val_loss", False),
        ("dense_1_loss", False),
        ("mse", False),
        ("val_mean_absolute_error", False),
        ("binary_crossentropy", False),
        ("false_positives_2", False),
        ("acc", True),
        ("val_accuracy", True),
        ("sparse_categorical_accuracy", True),
        ("auc_1", True),
        ("f1_score", True),
        ("mean_io_u", True),
        ("cosine_similarity", True),
        ("r2_score", True),
    ],
)
def test_direction_is_told_from_the_name(name, maximize):
    monitor = Monitor("X", name, "auto")
    assert monitor.improves(2.0, 1.0) is maximize
    assert monitor.improves(1.0, 2.0) is not maximize


@pytest.mark.parametrize("name", ["score", "vaccine", "accuracy_loss", "glossary"])
@pytest.mark.parametrize(
    "make",
    [
        EarlyStopping,
        ReduceLROnPlateau,
        lambda monitor: ModelCheckpoint("m.onnx", monitor, save_best_only=True),
    ],
)
def test_name_that_does_not_tell_the_direction_is_refused(make, name):
    with pytest.raises(ValueError, match=f"monitor='{name}' should be maximized or minimized"):
        make(monitor=name)
    ModelCheckpoint("m.onnx", name)  # which saves always, and needs no direction


def test_given_mode_goes_before_the_name():
    assert Monitor("X", "loss", "max").improves(2.0, 1.0)
    assert Monitor("X", "accuracy", "min").improves(1.0, 2.0)
    assert Monitor("X", "score", "max").improves(2.0, 1.0)


def test_unknown_mode_warns_and_falls_back_to_the_name():
    with pytest.warns(UserWarning, match="X mode 'best' is unknown, fallback to auto mode"):
        assert Monitor("X", "accuracy", "best").maximize


def test_improvement_must_exceed_min_delta_and_nan_never_is_one():
    low = Monitor("X", "loss", "min", 0.5)
    assert not low.improves(1.5, 2.0)
    assert low.improves(1.25, 2.0)
    high = Monitor("X", "accuracy", "max", -0.5)
    assert not high.improves(2.5, 2.0)
    assert high.improves(2.75, 2.0)
    assert not low.improves(NAN, None)
    assert low.improves(1e9, None)


def test_early_stopping_waits_for_patience_epochs(model):
    stopping = EarlyStopping(patience=2)
    assert epochs_run(model, stopping, [3.0, 2.0, 2.5, 2.1, 1.0]) == 4
    assert (stopping.stopped_epoch, stopping.best, stopping.best_epoch) == (3, 2.0, 1)


def test_early_stopping_starts_its_wait_anew_on_an_improvement(model):
    assert epochs_run(model, EarlyStopping(patience=2), [3.0, 4.0, 2.0, 4.0, 1.0]) == 5


def test_early_stopping_without_patience_stops_at_the_first_setback(model):
    assert epochs_run(model, EarlyStopping(), [3.0, 2.0, 2.0, 1.0]) == 3


def test_early_stopping_never_stops_after_the_first_epoch_but_may_after_the_second(model):
    assert epochs_run(model, EarlyStopping(), [NAN, 1.0, 2.0]) == 3
    assert epochs_run(model, EarlyStopping(), [1.0, 2.0, 0.0]) == 2


def test_early_stopping_maximizes_an_accuracy(model):
    stopping = EarlyStopping("accuracy")
    assert epochs_run(model, stopping, [0.5, 0.6, 0.55, 0.7], "accuracy") == 3


def test_early_stopping_stops_when_the_baseline_is_not_beaten(model):
    # Every epoch improves, but only an epoch that does not can stop the training.
    stopping = EarlyStopping(patience=2, baseline=1.0)
    assert epochs_run(model, stopping, [4.0, 3.0, 3.5, 2.0]) == 3
    assert epochs_run(model, EarlyStopping(patience=2, baseline=10.0), [4.0, 3.0, 3.5, 2.0]) == 4


def test_early_stopping_ignores_the_first_epochs_if_told_to(model):
    stopping = EarlyStopping(start_from_epoch=2)
    assert epochs_run(model, stopping, [0.1, 9.0, 8.0, 7.0, 7.5]) == 5
    assert stopping.best == 7.0


def test_early_stopping_survives_a_first_epoch_of_nan(model):
    stopping = EarlyStopping(patience=2)
    assert epochs_run(model, stopping, [NAN, 3.0, 2.0, 1.0]) == 4
    assert stopping.best == 1.0


def test_early_stopping_restores_the_weights_of_the_best_epoch(model, plain):
    stopping = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    train(model, stopping, [3.0, 1.0, 2.0, 2.0, 0.0], console=plain)
    assert model.weight == 2.0
    assert text(plain) == (
        "Epoch 4: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    )


def test_early_stopping_restores_the_best_weights_also_when_it_did_not_stop(model, plain):
    stopping = EarlyStopping(patience=5, restore_best_weights=True)
    train(model, stopping, [3.0, 1.0, 2.0], console=plain)
    assert model.weight == 2.0
    assert stopping.stopped_epoch == 0
    assert text(plain) == ""


def test_early_stopping_without_any_improvement_restores_the_first_weights(model):
    train(model, EarlyStopping(patience=5, restore_best_weights=True), [NAN, NAN, NAN])
    assert model.weight == 1.0


def test_early_stopping_forgets_an_earlier_run(model):
    stopping = EarlyStopping(patience=1)
    train(model, stopping, [0.0, 1.0])
    assert epochs_run(model, stopping, [5.0, 4.0, 3.0]) == 3
    assert stopping.stopped_epoch == 0


def test_early_stopping_warns_when_the_metric_is_absent(model):
    with pytest.warns(
        UserWarning,
        match="Early stopping conditioned on metric `val_loss` which is not available. "
        "Available metrics are: loss",
    ):
        assert epochs_run(model, EarlyStopping(), [1.0], "loss") == 1


def test_checkpoint_fills_in_epoch_and_metrics_and_makes_folders(model, tmp_path, plain):
    path = tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.onnx"
    train(model, ModelCheckpoint(path, verbose=1), [0.5, 0.25], console=plain)
    first, second = (str(tmp_path / "new" / name) for name in ("01-0.50.onnx", "02-0.25.onnx"))
    assert model.saved == [("model", first), ("model", second)]
    assert text(plain) == f"Epoch 1: saving model to {first}\nEpoch 2: saving model to {second}\n"


def test_checkpoint_saves_only_the_best(model, tmp_path, plain):
    path = str(tmp_path / "best.onnx")
    saver = ModelCheckpoint(path, save_best_only=True, verbose=1)
    train(model, saver, [0.5, 0.75, 0.25], console=plain)
    assert model.saved == [("model", path)] * 2
    assert saver.best == 0.25
    assert text(plain).splitlines() == [
        f"Epoch 1: val_loss improved from None to 0.50000, saving model to {path}",
        "Epoch 2: val_loss did not improve from 0.50000",
        f"Epoch 3: val_loss improved from 0.50000 to 0.25000, saving model to {path}",
    ]


def test_checkpoint_must_beat_its_threshold(model, tmp_path):
    saver = ModelCheckpoint(
        tmp_path / "{epoch}.onnx",
        "accuracy",
        save_best_only=True,
        initial_value_threshold=0.8,
    )
    train(model, saver, [0.7, 0.9], "accuracy")
    assert model.saved == [("model", str(tmp_path / "2.onnx"))]


@pytest.mark.parametrize("name", ["w.npz", "w.weights.h5"])
def test_checkpoint_saves_weights_alone(model, tmp_path, name):
    train(model, ModelCheckpoint(tmp_path / name, save_weights_only=True), [1.0])
    assert model.saved == [("weights", str(tmp_path / name))]


def test_checkpoint_refuses_an_ending_that_does_not_fit():
    with pytest.raises(
        ValueError,
        match=r"^The filepath provided must end in `\.keras` or `\.onnx`\. .*filepath=a\.npz",
    ):
        ModelCheckpoint("a.npz")
    with pytest.raises(
        ValueError,
        match=r"save_weights_only=True.*must end in `\.npz` or `\.weights\.h5`\. .*filepath=a\.h5",
    ):
        ModelCheckpoint("a.h5", save_weights_only=True)


@pytest.mark.parametrize("save_freq", ["batch", 0, -1, 1.5, True])
def test_checkpoint_refuses_an_unknown_frequency(save_freq):
    with pytest.raises(ValueError, match=f"Unrecognized save_freq: {save_freq}. Expected"):
        ModelCheckpoint("a.onnx", save_freq=save_freq)


def test_checkpoint_by_batches_counts_across_epochs_and_reads_metrics_only_to_save(model, tmp_path):
    saver = ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss}.onnx", save_freq=3)
    callbacks = CallbackList([saver], model=model)
    reads = []

    def read():
        reads.append(step)
        return {"loss": float(step)}

    for step in range(8):
        if step % 4 == 0:
            callbacks.on_epoch_begin(step // 4)
        callbacks._batch_done("train", step % 4, read)
        if step % 4 == 3:
            callbacks.on_epoch_end(step // 4, {"loss": 9.0})
    assert reads == [2, 5]
    names = [path.rpartition("/")[2] for _, path in model.saved]
    assert names == ["1-3-2.0.onnx", "2-2-5.0.onnx"]


@pytest.mark.parametrize(
    ("save_freq", "steps", "batches", "saved"),
    [
        (3, 2, 5, ["1-4", "2-2", "2-5", "3-4"]),
        (4, 4, 8, ["1-4", "1-8", "2-4", "2-8", "3-4", "3-8"]),
        (5, 3, 7, ["1-6", "2-6", "3-6"]),
    ],
)
def test_checkpoint_counts_several_steps_in_one_run_as_keras(
    save_freq, steps, batches, saved, model, tmp_path
):
    """Recorded from Keras 3.15.1, whose callback got the same calls."""
    saver = ModelCheckpoint(tmp_path / "{epoch}-{batch}.onnx", save_freq=save_freq)
    saver.set_model(model)
    for epoch in range(3):
        saver.on_epoch_begin(epoch)
        for end in (*range(steps, batches, steps), batches):
            saver.on_train_batch_end(end - 1, {"loss": 1.0})
        saver.on_epoch_end(epoch, {})
    assert [path.rpartition("/")[2] for _, path in model.saved] == [f"{n}.onnx" for n in saved]


def test_checkpoint_of_several_steps_in_one_run_has_the_metrics(tmp_path):
    trained = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    trained.compile("sgd", "mse", steps_per_execution=2)
    saver = ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.3f}.onnx", save_freq=3)
    x, y = np.ones((10, 2)), np.ones((10, 1))
    trained.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[saver])
    names = sorted(path.name.rsplit("-", 1)[0] for path in tmp_path.iterdir())
    assert names == ["1-4", "2-2", "2-5"]


@pytest.mark.parametrize("name", ["{epoch}.keras", "{epoch}.onnx"])
def test_checkpoint_lets_the_name_decide_the_format_of_the_model(model, tmp_path, name):
    train(model, ModelCheckpoint(tmp_path / name), [1.0])
    assert model.saved == [("model", str(tmp_path / name.format(epoch=1)))]


def test_checkpoint_names_a_field_that_is_not_there(model, tmp_path):
    with pytest.raises(KeyError, match=r"There is no 'val_acc'\. Available fields are: epoch,loss"):
        train(model, ModelCheckpoint(tmp_path / "{val_acc}.onnx"), [1.0], "loss")


def test_checkpoint_refuses_a_folder(model, tmp_path):
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(IsADirectoryError, match="Please specify a non-directory filepath"):
        train(model, ModelCheckpoint(tmp_path / "m.onnx"), [1.0])


def test_checkpoint_warns_when_the_metric_is_absent(model, tmp_path):
    saver = ModelCheckpoint(tmp_path / "m.onnx", save_best_only=True)
    with pytest.warns(UserWarning, match="Can save best model only with metric `val_loss`"):
        train(model, saver, [1.0], "loss")
    assert model.saved == []


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.1 * 0.5 ** (epoch + 1),
        lambda epoch, rate: np.float32(rate * 0.5),
        lambda epoch, rate: np.array(rate * 0.5),
    ],
)
def test_scheduler_sets_the_rate_of_every_epoch_and_logs_it(model, schedule):
    history = train(model, LearningRateScheduler(schedule), [1.0, 1.0]).history
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    assert history["learning_rate"] == pytest.approx([0.05, 0.025])


def test_scheduler_can_tell_what_it_does(model, plain):
    train(model, LearningRateScheduler(lambda epoch: 0.5, verbose=1), [1.0], console=plain)
    assert text(plain) == "Epoch 1: LearningRateScheduler setting learning rate to 0.5.\n"


@pytest.mark.parametrize("bad", [None, "0.1", True, [0.1], np.zeros(2)])
def test_scheduler_refuses_what_is_no_number(model, bad):
    with pytest.raises(ValueError, match="The output of the `schedule` function should be a float"):
        train(model, LearningRateScheduler(lambda epoch: bad), [1.0])


def test_scheduler_passes_on_an_error_of_the_schedule(model):
    def schedule(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        train(model, LearningRateScheduler(schedule), [1.0])


def test_plateau_reduces_the_rate_after_patience_epochs(model, plain):
    plateau = ReduceLROnPlateau(factor=0.5, patience=2, verbose=1)
    history = train(model, plateau, [1.0, 1.0, 1.0, 1.0, 1.0], console=plain).history
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    # The logs show the rate that the epoch was trained with.
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05])
    assert text(plain).splitlines() == [
        "Epoch 3: ReduceLROnPlateau reducing learning rate to 0.05.",
        "Epoch 5: ReduceLROnPlateau reducing learning rate to 0.025.",
    ]


def test_plateau_needs_an_improvement_of_min_delta(model):
    train(model, ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.1), [1.0, 0.95])
    assert model.optimizer.learning_rate == pytest.approx(0.05)
    train(model, ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.01), [1.0, 0.95])
    assert model.optimizer.learning_rate == pytest.approx(0.05)


def test_plateau_pauses_after_a_reduction(model):
    plateau = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2)
    history = train(model, plateau, [1.0] * 4).history
    # Reduced in epoch 2; the cooldown covers epoch 3, and ends with epoch 4, which counts again.
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05, 0.05])
    assert model.optimizer.learning_rate == pytest.approx(0.025)


def test_plateau_stays_at_its_minimum(model, plain):
    plateau = ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.03, verbose=1)
    train(model, plateau, [1.0] * 4, console=plain)
    assert model.optimizer.learning_rate == 0.03
    assert len(text(plain).splitlines()) == 1


def test_plateau_refuses_to_raise_the_rate():
    with pytest.raises(ValueError, match=r"does not support a factor >= 1\.0\. Got 1\.5"):
        ReduceLROnPlateau(factor=1.5)


def test_plateau_warns_when_the_metric_is_absent(model):
    with pytest.warns(UserWarning, match="Learning rate reduction is conditioned on metric `val_l"):
        train(model, ReduceLROnPlateau(), [1.0], "loss")


@pytest.mark.parametrize("loss", [NAN, math.inf, -math.inf, np.float32("nan")])
def test_bad_loss_ends_the_training(model, plain, loss):
    callbacks = CallbackList([TerminateOnNaN()], model=model, console=plain)
    callbacks._batch_done("train", 6, lambda: {"loss": 1e30})
    assert not model.stop_training
    callbacks._batch_done("train", 7, lambda: {"loss": loss})
    assert model.stop_training
    assert text(plain) == "Batch 7: Invalid loss, terminating training\n"
    with pytest.raises(RuntimeError, match=r"NaN or Inf loss encountered at batch 2\."):
        TerminateOnNaN(raise_error=True).on_train_batch_end(2, {"loss": loss})


def log(path, epochs, **options):
    logger = CSVLogger(path, **options)
    logger.on_train_begin()
    for epoch, logs in epochs:
        logger.on_epoch_end(epoch, logs)
    logger.on_train_end()


def test_csv_holds_a_row_per_epoch(tmp_path):
    path = tmp_path / "log.csv"
    log(
        path, [(0, {"loss": 0.5, "val_loss": np.float64(1.0)}), (1, {"loss": 0.1, "val_loss": NAN})]
    )
    assert path.read_text("utf-8") == "epoch,loss,val_loss\n0,0.5,1.0\n1,0.1,nan\n"
    log(path, [(0, {"loss": 2.0})], separator=";")
    assert path.read_text("utf-8") == "epoch;loss\n0;2.0\n"


def test_csv_is_appended_to(tmp_path):
    path = tmp_path / "log.csv"
    log(path, [(0, {"loss": 0.5})], append=True)
    log(path, [(1, {"loss": 0.25})], append=True)
    assert path.read_text("utf-8") == "epoch,loss\n0,0.5\n1,0.25\n"


def test_csv_gets_a_column_for_a_metric_that_comes_later(tmp_path):
    path = tmp_path / "log.csv"
    log(path, [(0, {"loss": 3.0}), (1, {"loss": 2.0, "val_loss": 5.0}), (2, {"loss": 1.0})])
    assert path.read_text("utf-8") == "epoch,loss,val_loss\n0,3.0,NA\n1,2.0,5.0\n2,1.0,NA\n"


def test_messages_go_to_standard_output_by_default(model, capsys):
    callback = LearningRateScheduler(lambda epoch: 0.5, verbose=1)
    callback.set_model(model)
    callback.on_epoch_begin(0)
    assert capsys.readouterr().out == (
        "Epoch 1: LearningRateScheduler setting learning rate to 0.5.\n"
    )
