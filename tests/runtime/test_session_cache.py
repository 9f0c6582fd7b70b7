"""The one rule for compiled graphs: good if it has seen the newest change, and opened here."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.runtime.session_cache import SessionCache


class Made:
    inherited = False


def test_what_has_not_seen_a_change_is_made_anew_in_the_same_place():
    cache = SessionCache()
    first = cache.get("key", 3, Made)
    assert cache.get("key", 3, Made) is first
    assert cache.find("key", 2) is first
    assert cache.find("key", 4) is None
    second = cache.get("key", 4, Made)
    assert second is not first
    assert len(cache) == 1


def test_what_a_parent_process_has_opened_is_made_anew():
    cache = SessionCache()
    first = cache.get("key", 1, Made)
    first.inherited = True
    assert cache.find("key", 1) is None
    assert cache["key"] is first


def test_what_is_older_than_a_change_goes_at_the_next_look():
    cache = SessionCache()
    for number in range(5):
        cache.keep(number, number, Made())
    cache.get("new", 3, Made)
    assert len(cache) == 3
    cache.discard(4)
    assert cache.find(4, 4) is None
    assert len(cache) == 2


@pytest.fixture
def impatient():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_may_look_keep_and_discard_at_once(impatient):
    cache, errors = SessionCache(), []

    def work(seed):
        try:
            for number in range(2000):
                cache.get((seed, number % 7), number, Made)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_callback_may_measure_a_model_without_weights_inside_a_measurement():
    model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5), layers.ReLU()])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), np.float32)

    class Measure(keras.callbacks.Callback):
        inner = 0

        def on_test_batch_begin(self, batch, logs=None):
            if Measure.inner == 0:
                Measure.inner += 1
                self.model.layers[0].rate = 0.25
                self.model.evaluate(x, x, verbose=0)

    batches = ((x, x) for _ in range(6))
    assert model.evaluate(batches, steps=6, verbose=0, callbacks=[Measure()]) == 0.0
