"""Python's search for garbage is paused while graphs are built, and goes on as it was before."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from seqonnx.garbage import search_paused


@pytest.fixture(autouse=True)
def searching():
    """Python searches before and after every test."""
    assert gc.isenabled()
    yield
    gc.enable()


def test_the_search_goes_on_after_the_last_pause_of_all_threads():
    inside, leave = threading.Event(), threading.Event()

    @search_paused()
    def work():
        inside.set()
        leave.wait(10)

    thread = threading.Thread(target=work)
    with search_paused():
        thread.start()
        assert inside.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_an_error_ends_a_pause():
    with pytest.raises(KeyError), search_paused():
        raise KeyError
    assert gc.isenabled()


def test_what_the_user_has_switched_off_stays_off():
    gc.disable()
    with search_paused():
        pass
    assert not gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on Windows")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_inside_searches():
    with search_paused():
        child = os.fork()
        if child == 0:
            at_first = gc.isenabled()
            with search_paused():
                paused = not gc.isenabled()
            os._exit(0 if at_first and paused and gc.isenabled() else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert gc.isenabled()


def test_building_a_step_is_such_a_pause(monkeypatch):
    import numpy as np

    import seqonnx as keras
    from seqonnx.training import step

    seen = []
    emit = step.emit_goal

    def noted(*args, **named):
        seen.append(gc.isenabled())
        return emit(*args, **named)

    monkeypatch.setattr(step, "emit_goal", noted)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((2, 2), np.float32)
    model.train_on_batch(x, x[:, :1])
    model.evaluate(x, x[:, :1], verbose=0)
    assert seen == [False, False]
    assert gc.isenabled()
