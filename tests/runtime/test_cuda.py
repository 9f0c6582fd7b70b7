"""On a GPU: sessions, bindings and arrays really live there."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from seqonnx.runtime import CPU, DeviceArray, Session, placement, select_device

pytestmark = pytest.mark.gpu


def test_auto_is_cuda(gpu):
    assert select_device("auto") == gpu


def test_run_agrees_with_the_cpu(gpu, affine):
    random = np.random.default_rng(0)
    shapes = {"x": (5, 3), "w": (3, 2), "b": (2,)}
    feeds = {name: random.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    for ours, theirs in zip(
        Session(affine, gpu).run(feeds), Session(affine, CPU).run(feeds), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-2)  # TF32 has 10 bits


def test_nodes_are_placed_on_the_gpu(gpu, affine):
    assert set(placement(affine, gpu).values()) == {"CUDAExecutionProvider"}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.bool_, ml_dtypes.bfloat16])
def test_array_survives_the_way_there_and_back(gpu, dtype):
    source = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    array = DeviceArray.from_numpy(source, gpu)
    assert (array.memory, array.dtype, array.shape) == ("cuda", source.dtype, (2, 3))
    np.testing.assert_array_equal(array.numpy(), source)


def test_array_does_not_share_memory(gpu):
    source = np.zeros(3, np.float32)
    array = DeviceArray.from_numpy(source, gpu)
    source[:] = 7
    assert array.numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize("synchronize", [True, False])
def test_bindings_hand_the_state_to_and_fro(gpu, half_step, synchronize):
    session = Session(half_step, gpu, training=True)
    start = np.array([1, -2, 3, 8], np.float32)
    states = [DeviceArray.from_numpy(start, gpu), DeviceArray.empty((4,), np.float32, gpu)]
    rate = DeviceArray.from_numpy(np.array(0.5, np.float32), gpu)
    steps = [
        session.bind({"w": a, "rate": rate}, {"new_w": b, "loss": None})
        for a, b in (states, states[::-1])
    ]
    for step in range(6):
        steps[step % 2].run(synchronize=synchronize)
    steps[1].synchronize()
    np.testing.assert_array_equal(states[0].numpy(), start * 0.5**6)
    loss = steps[1].output("loss")
    assert loss.memory == "cuda"
    assert loss.numpy() == 78 * 0.25**5


@pytest.mark.parametrize("memory", ["gpu", "cpu"])
def test_an_output_is_written_in_order_to_an_array_of_another_shape(gpu, half_step, memory):
    w = DeviceArray.from_numpy(np.array([2, 4, 6, 8], np.float32), gpu)
    target = DeviceArray.empty((2, 1, 2), np.float32, gpu if memory == "gpu" else CPU)
    rate = DeviceArray.from_numpy(np.array(0.5, np.float32), gpu)
    Session(half_step, gpu).bind({"w": w, "rate": rate}, {"new_w": target}).run()
    assert target.numpy().tolist() == [[[1, 2]], [[3, 4]]]


def test_update_of_an_array_in_host_memory_is_seen(gpu, half_step):
    rate = DeviceArray.from_numpy(np.array(0, np.float32), CPU)
    w = DeviceArray.from_numpy(np.full(4, 2, np.float32), gpu)
    result = DeviceArray.empty((4,), np.float32, CPU)
    binding = Session(half_step, gpu).bind({"w": w, "rate": rate}, {"new_w": result})
    for value, expected in ((0, 2), (0.5, 1), (1, 0)):
        rate.update(np.array(value, np.float32))
        binding.run()
        assert result.numpy().tolist() == [expected] * 4
