"""Interrupts: whatever stops a step, a fetch or an assignment, the state is that of one moment.

The model of `stepping` tells the number of its last step by every weight and every slot. After an
interrupt all of them, the step counter and what is predicted and saved must say the same number.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ExecutionError
from seqonnx.graph import Variable, current_trace
from seqonnx.runtime import CPU, DeviceArray
from seqonnx.training.state import DeviceState
from support.reliability.interrupting import at_every_line, interrupted_at
from support.reliability.stepping import ROUND, data, make_model, number_seen, set_all

X, Y = data(4)


def numbers_in(model) -> set[float]:
    """The numbers that weights and slots say; with the counter of steps."""
    arrays = [*model.get_weights(), *(slot.numpy() for slot in model._sessions.optimizer_variables)]
    found = {float(value) for array in arrays for value in np.unique(array)}
    return found | {float(model.optimizer.iterations % ROUND)}


@pytest.fixture
def model():
    model = make_model()
    model.train_on_batch(X, Y)
    return model


def test_a_fetch_is_whole_or_not_at_all(model, tmp_path):
    lines = 0
    for lines in at_every_line(model.get_weights):
        assert len(numbers_in(model)) == 1
        if lines % 10 == 0:
            model.save(tmp_path / "m.onnx")
            loaded = keras.load_model(tmp_path / "m.onnx", {"Counting": type(model.optimizer)})
            assert numbers_in(loaded) == numbers_in(model)
        model.train_on_batch(X, Y)
    assert lines > 20


def test_a_save_that_is_interrupted_changes_nothing_in_the_model(model, tmp_path):
    def save():
        model.train_on_batch(X, Y)
        model.save(tmp_path / "m.onnx")

    for _ in at_every_line(save, stride=211):
        assert len(numbers_in(model)) == 1


def test_a_step_is_taken_with_its_counter_or_not_at_all(model):
    lines = 0
    for lines in at_every_line(lambda: model.train_on_batch(X, Y)):  # noqa: B007
        assert len(numbers_in(model)) == 1
    assert lines > 200
    before = numbers_in(model)
    model.train_on_batch(X, Y)
    assert numbers_in(model) == {(before.pop() + 1) % ROUND}


@pytest.mark.parametrize(
    "stride", [151, pytest.param(1, marks=pytest.mark.slow)], ids=["some lines", "every line"]
)
def test_an_interrupted_fit_leaves_one_state_and_goes_on(model, stride):
    def fit():
        model.fit(*data(12), batch_size=4, verbose=0)

    for _ in at_every_line(fit, stride):
        assert len(numbers_in(model)) == 1
        assert number_seen(model.predict(X, verbose=0)) == numbers_in(model).pop()


def test_set_weights_is_whole_or_not_at_all(model):
    numbers = iter(range(1 << 30))
    weights = set()
    for line in at_every_line(lambda: set_all(model, next(numbers) % 20)):
        found = {float(v) for w in model.get_weights() for v in np.unique(w)}
        assert len(found) == 1
        # No session of before is taken for the weights of now.
        assert number_seen(model.predict(X, verbose=0)) in found
        weights |= found
        if line % 3 == 0:
            model.train_on_batch(X, Y)  # the weights are on the device again
    assert len(weights) > 1


def test_assigning_while_the_step_takes_over_is_not_lost(model):
    def assign_and_train():
        set_all(model, 7)
        model.train_on_batch(X, Y)

    for _ in at_every_line(assign_and_train, stride=3):
        found = {float(v) for w in model.get_weights() for v in np.unique(w)}
        assert len(found) == 1
        steps = model.optimizer.iterations
        model.train_on_batch(X, Y)
        assert model.optimizer.iterations == steps + 1
        assert len(numbers_in(model)) == 1


@pytest.mark.parametrize("name", ["w.npz", "w.weights.h5"])
def test_load_weights_is_whole_or_not_at_all(model, tmp_path, name):
    if name.endswith("h5"):
        pytest.importorskip("h5py", reason="reads Keras's weight files")
    path = tmp_path / name
    set_all(model, 19)
    model.save_weights(path)
    set_all(model, 3)
    outcomes = set()
    for _ in at_every_line(lambda: model.load_weights(path), stride=5):
        found = {float(v) for w in model.get_weights() for v in np.unique(w)}
        assert len(found) == 1
        outcomes |= found
        set_all(model, 3)
    assert outcomes <= {3.0, 19.0}
    assert 3.0 in outcomes


def held(count):
    """Variables of value 1 in a state, and the state."""
    variables = [Variable(np.array([1.0], np.float32), f"w{i}") for i in range(count)]
    state = DeviceState(CPU)
    state.hold(variables, variables)
    return variables, state


def write(state, variables, value):
    """Take a step that writes `value` to every variable."""
    state.push_changes()

    def step(side):
        for variable in variables:
            state.buffers(variable)[1 - side].update(np.array([value], np.float32))

    with state.turn:
        step(state.begin_step())
        state.end_step()


def values_of(variables):
    return [variable.numpy().item() for variable in variables]


def test_letting_variables_go_loses_none():
    lines, ended = 0, False
    while not ended:
        variables, state = held(3)
        write(state, variables, 2.0)
        lines += 1
        ended = not interrupted_at(lines, state.release)
        assert values_of(variables) == [2.0] * 3
        other = DeviceState(CPU)
        other.hold(variables, variables)
        write(other, variables, 3.0)
        assert values_of(variables) == [3.0] * 3
    assert lines > 20


def test_variables_that_come_to_the_device_are_all_there_for_the_next_step():
    lines, ended = 0, False
    while not ended:
        variables, state = held(2)
        write(state, variables, 2.0)
        more = [Variable(np.array([5.0], np.float32), f"more{i}") for i in range(2)]
        lines += 1
        ended = not interrupted_at(lines, partial(state.hold, more, more))
        assert values_of([*variables, *more]) == [2.0, 2.0, 5.0, 5.0]
        state.hold(more, more)
        write(state, [*variables, *more], 3.0)
        assert values_of([*variables, *more]) == [3.0] * 4
    assert lines > 20


def test_what_a_step_has_not_written_yet_is_never_read(monkeypatch):
    original = DeviceArray.empty.__func__

    def rubbish(cls, *arguments):
        made = original(cls, *arguments)
        made.update(np.full(made.shape, 99, made.dtype))
        return made

    monkeypatch.setattr(DeviceArray, "empty", classmethod(rubbish))
    variables, state = held(2)
    assert values_of(variables) == [1.0, 1.0]
    write(state, variables, 2.0)  # now the other side is the newest
    more = [Variable(np.array([5.0], np.float32), f"more{i}") for i in range(2)]
    state.hold(more, more)
    assert values_of([*variables, *more]) == [2.0, 2.0, 5.0, 5.0]


def test_errors_of_memory_while_weights_come_back(model, monkeypatch):
    original = DeviceArray.numpy
    expected = numbers_in(model)
    for allowed in range(6):  # three weights and three slots
        model.train_on_batch(X, Y)
        expected = {number + 1 for number in expected}
        left = iter(range(allowed))

        def numpy(self, left=left, **arguments):
            if next(left, None) is None:
                raise MemoryError
            return original(self, **arguments)

        with monkeypatch.context() as patch:
            patch.setattr(DeviceArray, "numpy", numpy)
            with pytest.raises(MemoryError):
                model.get_weights()
        assert numbers_in(model) == expected


@pytest.fixture
def ctrl_c_heard():
    """Hear Ctrl-C as in a terminal: a shell starts programs in the background deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_at_any_time_of_a_long_training(model, ctrl_c_heard):
    rng = np.random.default_rng(0)

    def press(after):
        time.sleep(after)
        os.kill(os.getpid(), signal.SIGINT)

    for _ in range(15):
        key = threading.Thread(target=press, args=(rng.uniform(0.001, 0.03),))
        train = partial(model.fit, *data(8), batch_size=4, epochs=1 << 30, verbose=0)
        with pytest.raises(KeyboardInterrupt):
            train(
                callbacks=keras.callbacks.LambdaCallback(on_train_begin=lambda _, k=key: k.start())
            )
        key.join()
        assert len(numbers_in(model)) == 1
        assert number_seen(model.predict(X, verbose=0)) in numbers_in(model)


def step_that_runs_on(state, variable, value, wait):
    """Take a step that writes `value` and goes on, as on a GPU, until `wait` has been called."""

    def step(side):
        state.buffers(variable)[1 - side].update(np.array([value], np.float32))
        state.leave_running(wait)

    with state.turn:
        step(state.begin_step())
        state.end_step()


def test_a_step_that_fails_on_the_device_has_not_been_taken():
    variable = Variable(np.array([1.0], np.float32), "w")
    state = DeviceState(CPU)
    state.hold([variable], [variable])

    def fail():
        raise ExecutionError("the device has lost it")

    step_that_runs_on(state, variable, 2.0, fail)
    with pytest.raises(ExecutionError, match="has lost it"):
        variable.numpy()
    assert (variable.numpy().tolist(), state.steps) == ([1.0], 0)
    step_that_runs_on(state, variable, 3.0, lambda: None)
    assert (variable.numpy().tolist(), state.steps) == ([3.0], 1)


def test_an_interrupt_while_waiting_for_the_device_leaves_it_to_be_waited_for():
    variable = Variable(np.array([1.0], np.float32), "w")
    state = DeviceState(CPU)
    state.hold([variable], [variable])
    waits = []

    def wait():
        waits.append(1)
        if len(waits) == 1:
            raise KeyboardInterrupt

    step_that_runs_on(state, variable, 2.0, wait)
    with pytest.raises(KeyboardInterrupt):
        variable.numpy()
    assert (variable.numpy().tolist(), len(waits)) == ([2.0], 2)


def test_an_interrupted_call_leaves_no_trace_and_no_owner():
    class Around(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, x):
            return self.inner(x) * 2.0

    x = np.ones((1, 3), np.float32)
    for _ in at_every_line(lambda: Around()(x), stride=211):
        assert current_trace() is None
        alone = layers.Dense(1, name="alone")
        alone(x)
        assert alone.kernel.path == "alone/kernel"
