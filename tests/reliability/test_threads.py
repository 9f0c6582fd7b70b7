"""Threads: a call that reads sees one state of the weights, and a crowd of readers lets writers in.

A mixture of two states is a failure, however rare: the tests run for a fixed time, and ask for
none.
"""

from __future__ import annotations

import copy
import pickle
import threading
import time
from contextlib import contextmanager

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx.graph import read_together
from seqonnx.training import checkpoint_state
from seqonnx.training.feeding import single_batch
from support.reliability.stepping import ROUND, data, make_model, number_seen, set_all

ONES = data(1)[0]
"""One sample of ones."""


@contextmanager
def threads(*works):
    """Run functions again and again in threads until the block ends; raise what they raise."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def repeat(work):
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            errors.append(error)
            stop.set()

    running = [threading.Thread(target=repeat, args=(work,), daemon=True) for work in works]
    for thread in running:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in running:
            thread.join(60)
    assert not any(thread.is_alive() for thread in running)
    if errors:
        raise errors[0]


def uniform(arrays):
    """The one number in all arrays, None if there are several."""
    values = {float(v) for array in arrays for v in np.unique(array)}
    return values.pop() if len(values) == 1 else None


class Seen:
    """The observations of a reader: how often it read, and how often a mixture."""

    def __init__(self) -> None:
        self.count = 0
        self.mixtures = 0

    def note(self, number: float | None) -> None:
        self.count += 1
        self.mixtures += number is None


def readers(model, tmp_path, seen):
    """Functions that each look at the weights in another way, and note what they have seen."""
    many = data(70)[0]  # three batches: all of one state

    def predict():
        seen["predict"].note(number_seen(model.predict(ONES, verbose=0)))

    def predict_batches():
        seen["predict in batches"].note(number_seen(model.predict(many, verbose=0)))

    def call():
        seen["call"].note(number_seen(model(ONES)))

    def get_weights():
        seen["get_weights"].note(uniform(model.get_weights()))

    def save_weights():
        path = tmp_path / "weights.npz"
        model.save_weights(path)
        with np.load(path) as file:
            seen["save_weights"].note(uniform(file.values()))

    def export():
        model.export(tmp_path / "export.onnx")
        tensors = onnx.load(tmp_path / "export.onnx").graph.initializer
        seen["export"].note(uniform(map(onnx.numpy_helper.to_array, tensors)))

    return predict, predict_batches, call, get_weights, save_weights, export


KINDS = ("predict", "predict in batches", "call", "get_weights", "save_weights", "export")


def test_readers_beside_set_weights_see_one_state(tmp_path):
    model = make_model()
    seen = {kind: Seen() for kind in KINDS}
    numbers = iter(range(1 << 30))
    with threads(*readers(model, tmp_path, seen)):
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            set_all(model, next(numbers) % 20)
    assert {kind: found.mixtures for kind, found in seen.items()} == dict.fromkeys(KINDS, 0)
    assert all(found.count > 0 for found in seen.values())


def test_readers_beside_fit_see_one_state_and_save_its_counter(tmp_path):
    model = make_model()
    model.fit(*data(8), batch_size=4, verbose=0)
    seen = {kind: Seen() for kind in (*KINDS, "save")}

    def save():
        # Weights, slots and the step counter in the file are of one moment.
        model.save(tmp_path / "whole.onnx")
        loaded = keras.load_model(tmp_path / "whole.onnx", {"Counting": type(model.optimizer)})
        arrays = [
            *loaded.get_weights(),
            *(slot.numpy() for slot in loaded._sessions.optimizer_variables),
        ]
        seen["save"].note(uniform([*arrays, np.array(loaded.optimizer.iterations % ROUND)]))

    def fit():
        model.fit(*data(40), batch_size=4, verbose=0)

    with threads(fit, save, *readers(model, tmp_path, seen)):
        time.sleep(1.5)
    assert {kind: found.mixtures for kind, found in seen.items()} == dict.fromkeys(seen, 0)
    assert all(found.count > 0 for found in seen.values())


def test_evaluate_beside_set_weights_measures_one_state():
    # Two batches of different kinds (with an own graph each), and a loss that tells the weights.
    model = make_model()
    model.compile("sgd", "mae")
    x, y = data(48)[0], np.zeros((48, 4), np.float32)
    possible = [float(4 * number) ** 3 for number in range(9)]
    losses = set()

    def write():
        for number in range(9):
            set_all(model, number)
            time.sleep(0.001)

    with threads(write):
        for _ in range(15):
            losses.add(model.evaluate(x, y, batch_size=32, verbose=0))
    assert losses <= set(possible)


def test_a_crowd_of_readers_lets_a_writer_in():
    model = make_model()
    set_all(model, 1)
    model.predict(ONES, verbose=0)
    reads = []

    def read():
        reads.append(number_seen(model.predict(ONES, verbose=0)))

    with threads(*[read] * 48):
        time.sleep(0.2)
        start, writes = time.monotonic(), 0
        while time.monotonic() < start + 1.0:
            set_all(model, writes % 20)
            writes += 1
            time.sleep(0.0005)  # lets go of the interpreter, as a writer that reads a file does
        taken = time.monotonic() - start
    assert writes / taken > 15  # measured: 65 here, 2 where every reader built its own session
    assert None not in reads


def test_readers_that_wait_for_new_weights_share_one_session(monkeypatch):
    from seqonnx.training import forward

    model = make_model()
    model.predict(ONES, verbose=0)
    opened = []
    original = forward.Session

    def slow(*args, **kwargs):
        opened.append(1)
        time.sleep(0.05)
        return original(*args, **kwargs)

    monkeypatch.setattr(forward, "Session", slow)
    set_all(model, 3)
    gate = threading.Barrier(8)

    def read():
        gate.wait()
        found.append(number_seen(model.predict(ONES, verbose=0)))

    found: list[float | None] = []
    crowd = [threading.Thread(target=read) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(60)
    assert (found, len(opened)) == ([3] * 8, 1)


@pytest.mark.parametrize("training", [False, True])
def test_a_layer_called_beside_set_weights_sees_one_state(training):
    layer = keras.layers.Dense(4, kernel_initializer="zeros", bias_initializer="zeros")
    layer(ONES)
    seen = Seen()

    def call():
        outputs = layer(ONES, training=training)  # 4 k + k
        seen.note(outputs[0, 0] % 5 == 0 or None)

    with threads(call):
        for number in range(2000):
            layer.set_weights([np.full((4, 4), number % 100), np.full((4,), number % 100)])
    assert seen.count > 0
    assert seen.mixtures == 0


def test_models_that_train_each_others_frozen_weights_save_at_once(tmp_path, monkeypatch):
    first, second = keras.layers.Dense(4), keras.layers.Dense(4)
    models = []
    for trained, frozen in ((first, second), (second, first)):
        trained.trainable, frozen.trainable = True, False
        model = keras.Sequential([keras.Input((4,)), frozen, trained])
        model.compile("sgd", "mse")
        x = np.ones((8, 4), np.float32)
        model.train_on_batch(x, x)
        models.append(model)

    for model in models:
        model._sessions.trainer().begin_training()  # its values have to be fetched anew

    def slowly(variables):
        time.sleep(0.2)  # by now both are at it
        return read_together(variables)

    monkeypatch.setattr(checkpoint_state, "read_together", slowly)
    saving = [
        threading.Thread(target=model.save, args=(tmp_path / f"{i}.onnx",), daemon=True)
        for i, model in enumerate(models)
    ]
    for thread in saving:
        thread.start()
    for thread in saving:
        thread.join(10)
    assert [thread.is_alive() for thread in saving] == [False, False]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_made_beside_a_writer_holds_one_state(copied):
    model, number = make_model(), iter(range(1, 1 << 30))
    seen = Seen()

    def write():
        set_all(model, float(next(number) % ROUND))

    end = time.monotonic() + 0.7
    with threads(write):
        while time.monotonic() < end:
            seen.note(uniform(copied(model).get_weights()))
    assert seen.count > 5
    assert seen.mixtures == 0


def test_a_copy_made_beside_training_has_slots_and_counter_of_its_weights():
    model = make_model()
    x, y = data(1)
    model.train_on_batch(x, y)
    end, count = time.monotonic() + 0.7, 0
    with threads(lambda: model.train_on_batch(x, y)):
        while time.monotonic() < end:
            twin = pickle.loads(pickle.dumps(model))
            slots = [slot.numpy() for slot in twin._sessions.trainer().optimizer_variables]
            assert uniform([*twin.get_weights(), *slots]) == twin.optimizer.iterations % ROUND
            count += 1
    assert count > 5


def test_measuring_goes_on_with_its_weights_after_a_callback_has_measured():
    model = make_model()
    x, y = data(1)
    set_all(model, 1.0)
    expected = model.test_on_batch(x, y)
    trainer = model._sessions.trainer()
    with trainer.testing() as moment:
        set_all(model, 2.0)
        other = model.test_on_batch(x, y)
        batch = single_batch(model, model._sessions.heads, x, y, None, None)
        trainer._test_measures.reset(trainer._test_state)
        trainer.test(trainer.stage_test(moment, batch))
        assert trainer.test_logs()["loss"] == expected != other
