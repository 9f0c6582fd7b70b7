"""Forked children: they work, or say what to do; they never hang, not even at their end.

Sessions of ONNX Runtime have threads, which a forked child does not inherit: destroying a session
of the parent, or ending ONNX Runtime, waits for them for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.errors import DeviceError
from seqonnx.runtime import forking
from support.reliability.stepping import data, make_model, number_seen, set_all

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later say of every fork beside threads that it may hang.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

X, Y = data(4)
PATIENCE = 60.0
FINE = 7


def fork(work):
    """Run `work` in a forked child; returns its exit status, or fails if it hangs."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = FINE
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return pytest.fail("the child hangs")


@pytest.fixture
def model():
    """A model with open sessions of every kind."""
    model = make_model()
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    model(X, training=True)
    return model


def test_a_child_goes_on_with_what_it_inherits(model):
    def work():
        assert number_seen(model.predict(X, verbose=0)) == 1
        model.evaluate(X, Y, verbose=0)
        model(X, training=True)
        model.fit(X, Y, epochs=2, batch_size=4, verbose=0)
        assert number_seen(model(X)) == 3
        assert model.optimizer.iterations == 3
        set_all(model, 5)
        assert number_seen(model.predict(X, verbose=0)) == 5
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)

    assert fork(work) == FINE
    assert number_seen(model.predict(X, verbose=0)) == 1  # the parent has gone on alone


def test_a_child_trains_as_its_parent_would_have():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 4)), rng.normal(size=(24, 2))
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dropout(0.5)]
    )
    model.add(keras.layers.Dense(2))
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=8, verbose=0)
    readable, writable = os.pipe()

    def work():
        losses = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"]
        os.write(writable, repr(losses).encode())

    assert fork(work) == FINE
    child = os.read(readable, 10_000).decode()
    assert child == repr(model.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"])


def test_children_of_a_busy_process_do_not_hang(model):
    stop = threading.Event()

    def train():
        while not stop.is_set():
            model.fit(*data(40), batch_size=4, verbose=0)

    def predict():
        while not stop.is_set():
            model.predict(X, verbose=0)

    threads = [threading.Thread(target=work, daemon=True) for work in (train, predict)]
    for thread in threads:
        thread.start()

    def work():
        # Locks that the parent's threads held are open here, and the state is that of one step.
        found = {float(v) for w in model.get_weights() for v in np.unique(w)}
        assert len(found) == 1
        assert number_seen(model.predict(X, verbose=0)) in found
        set_all(model, 3)
        model.train_on_batch(X, Y)

    try:
        statuses = [fork(work) for _ in range(6)]
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert statuses == [FINE] * 6


PROGRAM = """
    import os, sys
    import numpy as np
    import seqonnx as keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    for _ in range(2):
        child = os.fork()
        if child == 0:
            model.set_weights([np.ones((4, 2)), np.ones(2)])
            model.compile("sgd", "mse")
            assert model.predict(np.ones((1, 4)), verbose=0).tolist() == [[5.0, 5.0]]
            sys.exit(7)  # the ordinary end of a process, destructors and all
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
        model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)  # opens sessions
"""


def test_the_ordinary_end_of_a_child_keeps_its_exit_status():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        env=os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])},
        check=False,
    )
    assert (result.stdout, result.returncode) == ("7\n7\n", 0), result.stderr


def predicted(weight: float) -> float:
    """The prediction of a model of one weight for 1; runs in a process of a pool."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((1, 1), weight)])
    return float(model.predict(np.ones((1, 1)), verbose=0)[0, 0])


def test_a_pool_of_forked_processes_works(model):
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(predicted, [1.0, 2.0, 3.0]).get(PATIENCE) == [1.0, 2.0, 3.0]


def test_what_lies_on_a_gpu_does_not_come_along_and_the_error_says_so(monkeypatch):
    monkeypatch.setattr(forking, "_cuda_used", True)

    def work():
        with pytest.raises(DeviceError, match=r"forked from one that had used CUDA.*'spawn'"):
            forking.require_usable_cuda()
        keras.set_device("cpu")
        make_model().predict(X, verbose=0)

    assert fork(work) == FINE
    forking.require_usable_cuda()
