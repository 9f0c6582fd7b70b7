"""A list calls every hook in order, and costs nothing where nobody listens."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.callbacks import (
    Callback,
    CallbackList,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgbarLogger,
)
from seqonnx.callbacks.base import HOOKS


def recording(calls, label=""):
    """A callback that notes every one of the 16 hooks."""
    functions = {
        hook: lambda *args, hook=hook: calls.append((label + hook, *args)) for hook in HOOKS
    }
    return LambdaCallback(**functions)


def unread():
    raise AssertionError("the metrics were read")


def run_fit(callbacks):
    """The calls of a fit of one epoch of two batches with a validation of one batch."""
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for batch in range(2):
        callbacks.on_train_batch_begin(batch)
        callbacks._batch_done("train", batch, lambda: {"loss": 1.0})
    callbacks.on_test_begin()
    callbacks.on_test_batch_begin(0)
    callbacks._batch_done("test", 0, lambda: {"loss": 2.0})
    callbacks.on_test_end({"loss": 2.0})
    callbacks.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
    callbacks.on_train_end({"loss": 1.0, "val_loss": 2.0})


def test_there_are_sixteen_hooks_and_a_callback_has_them_all():
    assert len(set(HOOKS)) == 16
    for hook in HOOKS:
        arguments = (0, {}) if "batch" in hook or "epoch" in hook else ({},)
        assert getattr(Callback(), hook)(*arguments) is None


def test_hooks_of_a_fit_come_in_order_with_their_logs():
    calls = []
    run_fit(CallbackList([recording(calls)]))
    assert calls == [
        ("on_train_begin", {}),
        ("on_epoch_begin", 0, {}),
        ("on_train_batch_begin", 0, {}),
        ("on_train_batch_end", 0, {"loss": 1.0}),
        ("on_train_batch_begin", 1, {}),
        ("on_train_batch_end", 1, {"loss": 1.0}),
        ("on_test_begin", {}),
        ("on_test_batch_begin", 0, {}),
        ("on_test_batch_end", 0, {"loss": 2.0}),
        ("on_test_end", {"loss": 2.0}),
        ("on_epoch_end", 0, {"loss": 1.0, "val_loss": 2.0}),
        ("on_train_end", {"loss": 1.0, "val_loss": 2.0}),
    ]


def test_hooks_of_a_prediction_see_its_outputs():
    calls = []
    callbacks = CallbackList(recording(calls))
    callbacks.on_predict_begin()
    callbacks.on_predict_batch_begin(0)
    callbacks._batch_done("predict", 0, dict, outputs=[7])
    callbacks.on_predict_end()
    assert calls == [
        ("on_predict_begin", {}),
        ("on_predict_batch_begin", 0, {}),
        ("on_predict_batch_end", 0, {"outputs": [7]}),
        ("on_predict_end", {}),
    ]


def test_older_batch_hooks_are_called_in_training():
    calls = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            calls.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            calls.append(("end", batch, logs))

    callbacks = CallbackList([Old()])
    assert callbacks.batch_hooks
    run_fit(callbacks)
    assert calls == [
        ("begin", 0),
        ("end", 0, {"loss": 1.0}),
        ("begin", 1),
        ("end", 1, {"loss": 1.0}),
    ]


def test_callbacks_are_called_in_the_order_given():
    calls = []
    CallbackList([recording(calls, "a:"), recording(calls, "b:")]).on_train_begin()
    assert calls == [("a:on_train_begin", {}), ("b:on_train_begin", {})]


def test_metrics_are_not_read_when_nobody_listens_to_batches(tmp_path):
    class Epochs(Callback):
        def on_epoch_end(self, epoch, logs=None):
            pass

    saver = ModelCheckpoint(tmp_path / "m.onnx")  # saves after epochs
    callbacks = CallbackList([Epochs(), saver], add_history=True, params={"verbose": 0})
    assert not callbacks.batch_hooks
    assert not callbacks._needs_batch_logs
    callbacks._batch_done("train", 0, unread)


def test_metrics_are_not_read_for_a_hook_before_a_batch():
    callbacks = CallbackList([LambdaCallback(on_train_batch_begin=lambda batch, logs: None)])
    assert callbacks.batch_hooks
    assert not callbacks._needs_batch_logs
    callbacks._batch_done("train", 0, unread)


def test_callback_can_say_that_its_batch_hook_reads_no_logs():
    calls = []

    class Counts(Callback):
        _needs_batch_logs = False

        def on_train_batch_end(self, batch, logs=None):
            calls.append((batch, logs))

    callbacks = CallbackList([Counts()])
    assert callbacks.batch_hooks
    assert not callbacks._needs_batch_logs
    callbacks._batch_done("train", 3, unread)
    assert calls == [(3, {})]


def test_metrics_are_read_once_per_batch_for_all():
    reads = []
    calls = []

    def read():
        reads.append(1)
        return {"loss": 1.0}

    callbacks = CallbackList([recording(calls), recording(calls)])
    assert callbacks._needs_batch_logs
    callbacks._batch_done("train", 0, read)
    assert len(reads) == 1
    assert calls == [("on_train_batch_end", 0, {"loss": 1.0})] * 2


def test_hooks_of_training_batches_do_not_make_evaluation_read_metrics():
    callbacks = CallbackList([LambdaCallback(on_train_batch_end=lambda batch, logs: None)])
    callbacks._batch_done("test", 0, unread)


def test_callbacks_receive_model_and_parameters():
    callback, model, params = Callback(), object(), {"epochs": 2}
    CallbackList([callback], model=model, params=params)
    assert callback.model is model
    assert callback.params is params


def test_callback_without_a_model_says_how_to_give_it_one():
    with pytest.raises(RuntimeError, match="Callback has no model yet: pass it as `callbacks=`"):
        Callback().model  # noqa: B018


def test_subclass_need_not_call_the_constructor_of_its_base():
    class Own(Callback):
        def __init__(self):
            self.seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(logs["loss"])

    own = Own()
    CallbackList([own], model=object(), params={}).on_epoch_end(0, {"loss": 0.25})
    assert own.seen == [0.25]


def test_history_and_progress_bar_are_added_once():
    history, bar = History(), ProgbarLogger()
    callbacks = CallbackList([history, bar], add_history=True, add_progbar=True)
    assert callbacks.callbacks == [history, bar]
    assert callbacks.history is history
    added = CallbackList(add_history=True, add_progbar=True).callbacks
    assert [type(callback) for callback in added] == [ProgbarLogger, History]


def test_list_without_a_history_says_so():
    with pytest.raises(RuntimeError, match="no History"):
        CallbackList().history  # noqa: B018


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match=r"`callbacks` must be Callback objects.*Received: 'x'"):
        CallbackList(["x"])
    with pytest.raises(TypeError, match=r"Received: <class '.*History'>"):
        CallbackList(History)


def test_list_of_a_list_has_the_same_callbacks():
    inner = CallbackList(History())
    assert CallbackList(inner).callbacks == inner.callbacks


def test_history_records_floats_sorted_by_name_as_keras_does():
    callbacks = CallbackList(add_history=True, params={"verbose": 0, "epochs": 2, "steps": 5})
    callbacks.on_train_begin()
    logs = {
        "zeta": np.float32(0.5),
        "val_zeta": np.float64(1.0),
        "loss": np.array(2.0, np.float32),
        "val_loss": 3,
        "accuracy": 0.25,
    }
    callbacks.on_epoch_end(3, logs)
    callbacks.on_epoch_end(4, {"loss": 1.0, "zeta": 0.0, "accuracy": 1.0})
    history = callbacks.history
    assert history.epoch == [3, 4]
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 5}
    assert history.history == {
        "accuracy": [0.25, 1.0],
        "loss": [2.0, 1.0],
        "zeta": [0.5, 0.0],
        "val_loss": [3.0],
        "val_zeta": [1.0],
    }
    assert list(history.history) == ["accuracy", "loss", "val_loss", "val_zeta", "zeta"]
    assert {type(v) for values in history.history.values() for v in values} == {float}


def test_what_a_callback_adds_to_the_logs_reaches_the_history():
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["added"] = 5.0

    callbacks = CallbackList([Adds()], add_history=True)
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert callbacks.history.history == {"loss": [1.0], "added": [5.0]}


def test_lambda_callback_refuses_a_name_that_is_no_hook_and_a_value_that_is_no_function():
    with pytest.raises(TypeError, match=r"has no hook 'on_epoch'\. Hooks: on_train_begin, "):
        LambdaCallback(on_epoch=lambda: None)
    with pytest.raises(TypeError, match=r"`on_epoch_end` must be a function\. Received: 3"):
        LambdaCallback(on_epoch_end=3)
