"""A step that is left running on a device is waited for before its state is touched.

Only a GPU computes while Python goes on; here the CPU stands in for one, and its binding tells
when it is waited for.
"""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.graph import Variable
from seqonnx.runtime import CPU, Binding
from seqonnx.training.feeding import single_batch
from seqonnx.training.runner import StepRunner
from seqonnx.training.state import DeviceState


@pytest.fixture
def overlapping(monkeypatch):
    """Steps overlap with Python; returns what was run and waited for, in order."""
    log = []
    run, wait, init = Binding.run, Binding.synchronize, StepRunner.__init__

    def logged_run(self, *, synchronize=True, recording=None):
        log.append("run and wait" if synchronize else "run")
        run(self, synchronize=synchronize)

    def logged_wait(self):
        log.append("wait")
        wait(self)

    def overlap(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self._overlaps = kwargs["training"]

    monkeypatch.setattr(Binding, "run", logged_run)
    monkeypatch.setattr(Binding, "synchronize", logged_wait)
    monkeypatch.setattr(StepRunner, "__init__", overlap)
    return log


def small():
    seqonnx.set_random_seed(1)
    model = seqonnx.Sequential([seqonnx.Input((3,)), layers.Dense(2, name="only")])
    model.compile("sgd", "mse")
    return model


X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.ones((4, 2), np.float32)


def test_steps_of_an_epoch_wait_for_the_one_before_only(overlapping):
    model = small()
    model.fit(X, Y, batch_size=1, epochs=1, verbose=0)
    # The last one is waited for when the loss is shown at the end of the epoch.
    assert overlapping == ["run", "wait"] * 4


def test_weights_are_read_after_the_step(overlapping):
    model = small()
    trainer = model._sessions.trainer()
    staged = trainer.stage_train([single_batch(model, model._sessions.heads, X, Y, None, None)], 0)
    trainer.begin_training()
    trainer.train(staged)
    assert overlapping == ["run"]
    model.get_layer("only").kernel.numpy()
    assert overlapping == ["run", "wait"]


def test_training_is_the_same(request):
    def losses():
        return small().fit(X, Y, batch_size=2, epochs=3, verbose=0).history["loss"]

    in_turns = losses()
    log = request.getfixturevalue("overlapping")
    assert losses() == in_turns
    assert "run" in log
    assert "run and wait" not in log


@pytest.mark.parametrize("touch", ["read", "overwrite", "fetch", "push_changes", "release"])
def test_whatever_touches_the_state_waits(touch):
    state = DeviceState(CPU)
    variable = Variable(np.zeros(2, np.float32), "w")
    state.hold([variable], [variable])
    waited = []
    with state.turn:
        state.begin_step()
        state.leave_running(lambda: waited.append(True))
        state.end_step()
    if touch == "push_changes":
        Variable(np.zeros(1, np.float32), "other").assign(np.ones(1, np.float32))
    arguments = {"read": (variable,), "overwrite": (variable, np.ones(2, np.float32))}
    getattr(state, touch)(*arguments.get(touch, ()))
    assert len(waited) == 1
    state.wait()
    assert len(waited) == 1
