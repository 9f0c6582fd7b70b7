"""Bindings: bound once, right every time."""

from __future__ import annotations

import gc

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from seqonnx.errors import ExecutionError
from seqonnx.runtime import CPU, DeviceArray, Session
from support.counting import calls_in


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


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_an_output_is_written_in_order_to_an_array_of_another_shape(make_model, dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    inputs = {"x": (element, [2, 3]), "shape": (onnx.TensorProto.INT64, [1])}
    session = Session(make_model([node], inputs, {"y": (element, [6])}), CPU)
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    target = DeviceArray.empty((3, 1, 2), np.dtype(dtype), CPU)
    binding = session.bind({"x": x, "shape": np.array([6])}, {"y": target})
    for factor in (1, 2):
        x[:] = np.array([[1, 2, 3], [4, 5, 6]]) * factor
        binding.run()
        assert binding.output("y") is target
        assert (target.numpy() / dtype(factor)).tolist() == [[[1, 2]], [[3, 4]], [[5, 6]]]


def test_an_array_of_another_size_is_no_output(half_step):
    binding = Session(half_step, CPU).bind(
        {"w": device_array([2, 2, 2, 2]), "rate": device_array(1)},
        {"new_w": device_array([0, 0, 0])},
    )
    with pytest.raises(ExecutionError):
        binding.run()


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


def test_a_numpy_array_is_read_where_it_is(bound_affine):
    _, binding = bound_affine
    x = np.ones((2, 3), np.float32)
    binding.set_input("x", x)
    binding.run()
    assert binding.output("y").numpy().tolist() == [[4, 5], [4, 5]]
    x[:] = 0
    binding.run()
    assert binding.output("y").numpy().tolist() == [[1, 2], [1, 2]]


def test_a_bound_numpy_array_lives_as_long_as_the_binding(bound_affine):
    _, binding = bound_affine
    binding.set_input("x", np.ones((1000, 3), np.float32))
    clutter = [np.full((1000, 3), 9, np.float32) for _ in range(20)]
    binding.run()
    assert binding.output("total").numpy() == 1000 * (4 + 5)
    assert len(clutter) == 20


def test_a_read_only_numpy_array_is_an_input(bound_affine):
    _, binding = bound_affine
    x = np.ones((1, 3), np.float32)
    x.setflags(write=False)
    binding.set_input("x", x)
    binding.run()
    assert binding.output("total").numpy() == 9


def test_a_numpy_array_of_bfloat16_is_an_input(make_model):
    bfloat16, float32 = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    node = helper.make_node("Cast", ["x"], ["y"], to=float32)
    model = make_model([node], {"x": (bfloat16, [3])}, {"y": (float32, [3])})
    x = np.array([0.5, 1.5, -2], ml_dtypes.bfloat16)
    binding = Session(model, CPU).bind({"x": x}, {"y": None})
    binding.run()
    assert binding.output("y").numpy().tolist() == [0.5, 1.5, -2]


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (np.ones((3, 2), np.float32).T, ValueError, "needs a C-contiguous array"),
        (np.ones((1, 3), np.dtype(np.float32).newbyteorder()), TypeError, "native byte order"),
        (np.ones((1, 3), np.complex64), TypeError, "must have one of the types"),
    ],
)
def test_a_numpy_array_that_is_no_tensor_is_refused_and_the_binding_stays(
    bound_affine, x, error, text
):
    _, binding = bound_affine
    with pytest.raises(error, match=text):
        binding.set_input("x", x)
    binding.run()
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
    four = np.array([[1, 2, 3, 4]], np.float32)
    for wrong in (device_array(four), four):
        binding.set_input("x", wrong)
        with pytest.raises(ExecutionError, match=r"'x' received float32 of shape \(1, 4\), exp"):
            binding.run()
    binding.set_input("x", x)
    binding.run()
    assert binding.output("total").numpy() == 15


@pytest.mark.parametrize("numpy", [False, True])
def test_input_in_other_memory_is_copied_anew_for_every_run(bound_affine, numpy):
    x, binding = bound_affine
    bound = []

    class Recorder:
        def __init__(self, binding):
            self.binding = binding

        def bind_ortvalue_input(self, name, value):
            bound.append(name)
            self.binding.bind_ortvalue_input(name, value)

        def bind_cpu_input(self, name, value):
            bound.append(name)
            self.binding.bind_cpu_input(name, value)

        def bind_output(self, *arguments):
            self.binding.bind_output(*arguments)

    recorder = Recorder(binding._binding)
    binding._memories["x"] = "cuda"
    binding._binding = recorder
    binding.set_input("x", x.numpy() if numpy else x)
    for _ in range(2):
        bound.clear()
        with pytest.raises(ExecutionError):  # the recorder is no binding that a session runs
            binding.run()
        assert bound == ["x"]


def test_each_output_of_many_costs_the_same(make_model):
    def cost(number):
        nodes = [helper.make_node("Neg", ["x"], [f"y{i}"]) for i in range(number)]
        outputs = {f"y{i}": (onnx.TensorProto.FLOAT, [2]) for i in range(number)}
        session = Session(make_model(nodes, {"x": (onnx.TensorProto.FLOAT, [2])}, outputs), CPU)
        return calls_in(lambda: session.bind({"x": x}, dict.fromkeys(outputs)))

    x = device_array([1, 2])
    start, few, many = cost(1), cost(11), cost(101)
    assert (many - start) / 100 < 1.05 * (few - start) / 10
