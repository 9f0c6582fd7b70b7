"""Device arrays: shared memory on the CPU, lifetime, updates in place, every dtype."""

from __future__ import annotations

import gc
import weakref

import ml_dtypes
import numpy as np
import pytest

from seqonnx.runtime import CPU, DeviceArray, TensorSpec

TYPES = (
    *("float16", "float32", "float64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
ALL_TYPES = [*map(np.dtype, TYPES), np.dtype(ml_dtypes.bfloat16)]


@pytest.mark.parametrize("dtype", ALL_TYPES, ids=str)
def test_every_type_survives_the_way_there_and_back(dtype):
    source = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    array = DeviceArray.from_numpy(source, CPU)
    assert (array.shape, array.dtype, array.memory) == ((2, 3), dtype, "cpu")
    assert array.numpy().dtype == dtype
    np.testing.assert_array_equal(array.numpy(), source)


@pytest.mark.parametrize("dtype", ALL_TYPES, ids=str)
def test_every_type_is_allocated_and_updated(dtype):
    array = DeviceArray.empty((2, 2), dtype, CPU)
    values = np.array([[1, 0], [0, 1]]).astype(dtype)
    array.update(values)
    assert (array.shape, array.dtype) == ((2, 2), dtype)
    np.testing.assert_array_equal(array.numpy(), values)


def test_types_are_known_by_their_standard_names():
    assert DeviceArray.empty((1,), "bfloat16", CPU).dtype == ml_dtypes.bfloat16
    assert DeviceArray.empty((1,), "float32", CPU).dtype == np.float32


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 4, 5)])
def test_every_rank_and_size_is_kept(shape):
    assert DeviceArray.from_numpy(np.zeros(shape, np.float32), CPU).numpy().shape == shape
    assert DeviceArray.empty(shape, np.float32, CPU).numpy().shape == shape


def test_memory_is_shared_on_the_cpu():
    source = np.zeros(3, np.float32)
    array = DeviceArray.from_numpy(source, CPU)
    assert array.ort_value.data_ptr() == source.ctypes.data
    source[1] = 7
    assert array.numpy()[1] == 7
    array.update(np.full(3, 5, np.float32))
    assert source.tolist() == [5, 5, 5]


def test_numpy_is_independent_unless_sharing_is_asked_for():
    array = DeviceArray.from_numpy(np.zeros(3, np.float32), CPU)
    copied, shared = array.numpy(), array.numpy(copy=False)
    array.update(np.ones(3, np.float32))
    assert copied.tolist() == [0, 0, 0]
    assert shared.tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=str)
def test_source_lives_as_long_as_the_array_and_no_longer(dtype):
    source = np.zeros(100_000, dtype)
    alive = weakref.ref(source)
    array = DeviceArray.from_numpy(source, CPU)
    del source
    gc.collect()
    assert alive() is not None
    del array
    gc.collect()
    assert alive() is None


def test_shared_view_outlives_the_array():
    array = DeviceArray.empty((100_000,), np.float32, CPU)
    array.update(np.full(100_000, 3, np.float32))
    view = array.numpy(copy=False)
    del array
    gc.collect()
    np.full(100_000, 9, np.float32)
    assert np.all(view == 3)


def test_allocation_starts_on_a_cache_line():
    arrays = [DeviceArray.empty((n,), np.float32, CPU) for n in (1, 3, 17, 1000)]
    assert [array.ort_value.data_ptr() % 64 for array in arrays] == [0, 0, 0, 0]


def test_array_that_is_not_contiguous_is_refused():
    with pytest.raises(ValueError, match=r"ascontiguousarray.*shape=\(4, 3\)"):
        DeviceArray.from_numpy(np.zeros((3, 4), np.float32).T, CPU)


@pytest.mark.parametrize("array", [np.array(["a"]), np.zeros(2, np.complex64), np.zeros(2, ">f4")])
def test_type_without_a_tensor_is_refused(array):
    with pytest.raises(TypeError, match="A device array must have one of the types float16"):
        DeviceArray.from_numpy(array, CPU)


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.float64), np.zeros(6, np.float32)],
)
def test_update_of_another_shape_or_type_is_refused(array):
    target = DeviceArray.empty((2, 3), np.float32, CPU)
    with pytest.raises(ValueError, match=r"must have shape \(2, 3\) and dtype float32"):
        target.update(array)


def test_update_takes_an_array_that_is_not_contiguous():
    target = DeviceArray.empty((2, 3), np.float32, CPU)
    values = np.arange(6, dtype=np.float32).reshape(3, 2).T
    target.update(values)
    np.testing.assert_array_equal(target.numpy(), values)


def test_read_only_memory_is_not_written():
    source = np.zeros(3, np.float32)
    source.setflags(write=False)
    array = DeviceArray.from_numpy(source, CPU)
    assert not array.writable
    with pytest.raises(ValueError, match="read-only"):
        array.update(np.ones(3, np.float32))
    assert source.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((4, 3), True), ((9, 3), True), ((4, 5), False), ((3,), False), ((1, 4, 3), False)],
)
def test_spec_accepts_exactly_the_shapes_that_fit(shape, fits):
    spec = TensorSpec("x", "float32", ("rows", 3))
    assert spec.accepts("float32", shape) == fits
    assert not spec.accepts("float64", shape)
