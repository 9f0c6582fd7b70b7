"""Bindings: bound once, right every time."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from seqonnx.errors import ExecutionError
from seqonnx.runtime import CPU, DeviceArray, Session


def device_array(values):
    return DeviceArray.from_numpy(np.array(values, np.float32), CPU)


@pytest.fixture
def bound_affine(affine):
    """x, and a binding that allocates both outputs."""
    x = device_array([[1, 2, 3]])
    inputs = {"x": x, "w": device_array(np.ones((3, 2))), "b": device_array([1, 2])}
    return x, Session(affine, CPU).bind(inputs, {"y": None, "total": None})


def test_two_bindings_hand_the_state_to_and_fro(half_step):
    session = Session(half_step, CPU, training=True)
    start = np.array([1, -2, 3, 8], np.float32)
    states = device_array(start), DeviceArray.empty((4,), np.float32, CPU)
    rate, loss = device_array(0.5), device_array(0)
    steps = [
        session.bind({"w": a, "rate": rate}, {"new_w": b, "loss": loss})
        for a, b in (states, states[::-1])
    ]
    losses = []
    for step in range(6):
        steps[step % 2].run()
        losses.append(float(loss.numpy()))
    np.testing.assert_array_equal(states[0].numpy(), start * 0.5**6)
    np.testing.assert_array_equal(states[1].numpy(), start * 0.5**5)
    assert losses == [78 * 0.25**step for step in range(6)]


def test_one_binding_swaps_its_arrays(half_step):
    state, spare = device_array([8, 8, 8, 8]), device_array([0, 0, 0, 0])
    binding = Session(half_step, CPU).bind(
        {"w": state, "rate": device_array(0.5)}, {"new_w": spare}
    )
    for _ in range(3):
        binding.run()
        state, spare = spare, state
        binding.set_input("w", state)
        binding.set_output("new_w", spare)
    assert state.numpy().tolist() == [1, 1, 1, 1]


def test_run_reads_what_an_update_wrote(bound_affine):
    x, binding = bound_affine
    binding.run()
    assert binding.output("total").numpy() == 15
    x.update(np.zeros((1, 3), np.float32))
    binding.run()
    assert binding.output("total").numpy() == 3


def test_bound_output_is_the_array_that_was_bound(half_step):
    target = device_array([0, 0, 0, 0])
    binding = Session(half_step, CPU).bind(
        {"w": device_array([2, 2, 2, 2]), "rate": device_array(1)}, {"new_w": target}
    )
    target.update(np.full(4, 9, np.float32))
    binding.run()
    assert binding.output("new_w") is target
    assert target.numpy().tolist() == [0, 0, 0, 0]


def test_allocated_output_is_fresh_in_every_run(bound_affine):
    x, binding = bound_affine
    binding.run()
    first = binding.output("y").numpy(copy=False)
    x.update(np.zeros((1, 3), np.float32))
    binding.run()
    assert first.tolist() == [[7, 8]]
    assert binding.output("y").numpy().tolist() == [[1, 2]]


def test_allocated_output_follows_the_shape_of_the_input(bound_affine):
    _, binding = bound_affine
    for rows in (1, 5, 2):
        binding.set_input("x", device_array(np.ones((rows, 3))))
        binding.run()
        assert binding.output("y").shape == (rows, 2)


def test_allocated_output_outlives_binding_and_session(affine):
    inputs = {"x": device_array(np.ones((1000, 3))), "w": device_array(np.ones((3, 2)))}
    binding = Session(affine, CPU).bind({**inputs, "b": device_array([0, 0])}, {"y": None})
    binding.run()
    y = binding.output("y")
    del binding
    gc.collect()
    assert np.all(y.numpy() == 3)


def test_bound_arrays_live_as_long_as_the_binding(affine):
    session = Session(affine, CPU)
    binding = session.bind(
        {
            "x": device_array(np.ones((1000, 3))),
            "w": device_array(np.ones((3, 2))),
            "b": device_array([0, 0]),
        },
        {"y": None},
    )
    gc.collect()
    clutter = [np.full((1000, 3), 9, np.float32) for _ in range(20)]
    binding.run()
    assert np.all(binding.output("y").numpy() == 3)
    assert len(clutter) == 20


def test_run_without_waiting_is_done_once_synchronized(bound_affine):
    _, binding = bound_affine
    binding.run(synchronize=False)
    binding.synchronize()
    assert binding.output("total").numpy() == 15


def test_every_input_must_be_bound(affine):
    with pytest.raises(ValueError, match=r"input 'w' is missing.*Received: \['x'\]"):
        Session(affine, CPU).bind({"x": device_array([[1, 2, 3]])}, {"y": None})


def test_unknown_names_are_refused_and_leave_the_binding_usable(bound_affine):
    x, binding = bound_affine
    with pytest.raises(ValueError, match=r"no input 'z'; there are \['x', 'w', 'b'\]"):
        binding.set_input("z", x)
    with pytest.raises(ValueError, match=r"no output 'z'; there are \['y', 'total'\]"):
        binding.set_output("z", None)
    with pytest.raises(ValueError, match=r"no bound output 'z'; there are \['y', 'total'\]"):
        binding.output("z")
    binding.run()
    assert binding.output("total").numpy() == 15


def test_read_only_memory_is_no_output(bound_affine):
    _, binding = bound_affine
    values = np.zeros((1, 2), np.float32)
    values.setflags(write=False)
    with pytest.raises(ValueError, match="shares read-only memory"):
        binding.set_output("y", DeviceArray.from_numpy(values, CPU))


def test_wrong_input_is_named_and_a_right_one_mends_it(bound_affine):
    x, binding = bound_affine
    binding.set_input("x", device_array([[1, 2, 3, 4]]))
    with pytest.raises(ExecutionError, match=r"'x' received float32 of shape \(1, 4\), expected"):
        binding.run()
    binding.set_input("x", x)
    binding.run()
    assert binding.output("total").numpy() == 15


def test_input_in_other_memory_is_copied_anew_for_every_run(bound_affine):
    x, binding = bound_affine
    bound = []

    class Recorder:
        def __init__(self, binding):
            self.binding = binding

        def bind_ortvalue_input(self, name, value):
            bound.append(name)
            self.binding.bind_ortvalue_input(name, value)

        def bind_output(self, *arguments):
            self.binding.bind_output(*arguments)

    recorder = Recorder(binding._binding)
    binding._memories["x"] = "cuda"
    binding._binding = recorder
    binding.set_input("x", x)
    for _ in range(2):
        bound.clear()
        with pytest.raises(ExecutionError):  # the recorder is no binding that a session runs
            binding.run()
        assert bound == ["x"]
