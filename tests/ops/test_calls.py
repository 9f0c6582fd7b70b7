"""How functions are called: what counts as a tensor, what as a constant, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import ops
from seqonnx.graph import Variable

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], np.float32)


class Arraylike:
    """An object that NumPy makes an array of, as tensors of other libraries are."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_lists_numbers_variables_and_foreign_arrays_are_tensors():
    for x in (X, X.tolist(), Variable(X, "x"), Arraylike(X), np.asfortranarray(X)):
        np.testing.assert_array_equal(ops.sum(x, axis=1), X.sum(1))
    assert ops.add(Arraylike(X), Arraylike(X + 1))[0, 0] == 3
    # Two foreign arrays of one shape are not one constant.
    assert ops.add(Arraylike(X), Arraylike(X + 5))[0, 0] == 7
    assert ops.add(1, 2.5) == 3.5


def test_integers_of_numpy_are_axes_and_sizes():
    assert ops.mean(X, axis=np.int64(1)).shape == (2,)
    assert ops.reshape(X, (np.int32(3), np.int64(-1))).shape == (3, 2)
    assert ops.reshape(X, np.array([3, 2])).shape == (3, 2)
    assert ops.zeros(np.array([2, 1])).shape == (2, 1)


def test_files_keep_the_dtype_of_numbers_of_numpy(tmp_path):
    x = keras.Input((3,), dtype="float16")
    model = keras.Model(x, [x * np.float32(2), ops.sum(x, axis=np.int64(1)), x * 2.0])
    model.save(tmp_path / "m.onnx")
    half = X.astype(np.float16)
    for each in (model, keras.models.load_model(tmp_path / "m.onnx")):
        assert [y.dtype.name for y in each(half)] == ["float32", "float16", "float16"]


def test_float64_is_computed_with_in_float32_and_int64_stays():
    assert ops.exp(X.astype(np.float64)).dtype == np.float32
    assert (np.array([5], np.int64) + ops.array([2])).dtype == np.int64
    for function in (ops.add, ops.subtract, ops.multiply, ops.floor_divide, ops.maximum):
        assert function(np.array([5], np.int64), 2).dtype == np.int64


@pytest.mark.parametrize("name", ["max", "min", "sum", "prod", "amax", "ptp"])
def test_all_axes_may_stay(name):
    wanted = getattr(np, name)(X, keepdims=True)
    found = getattr(ops, name)(X, keepdims=True)
    assert found.shape == (1, 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_functions_without_a_table_do_what_numpy_does():
    order = ops.argpartition(X, 1)
    parted = np.take_along_axis(X, np.asarray(order), -1)
    assert (parted[:, 0] <= parted[:, 1]).all()
    assert (parted[:, 1] <= parted[:, 2]).all()
    np.testing.assert_array_equal(ops.repeat(X, [1, 0, 2], axis=1), X.repeat([1, 0, 2], 1))
    line, step = ops.linspace(0, 10, 3, retstep=True)
    np.testing.assert_array_equal(line, [0, 5, 10])
    assert step == 5
    np.testing.assert_array_equal(ops.linspace([0, 1], [4, 5], 3, axis=1), [[0, 2, 4], [1, 3, 5]])
    for mode in ("edge", "wrap", "symmetric"):
        wide = ((1, 2), (2, 1))
        np.testing.assert_array_equal(ops.pad(X, wide, mode=mode), np.pad(X, wide, mode=mode))
    np.testing.assert_array_equal(ops.concatenate([X, X], axis=None), np.ravel([X, X]))
    np.testing.assert_array_equal(ops.unstack(X, axis=1)[2], X[:, 2])
    np.testing.assert_array_equal(ops.conj(X), X)
    np.testing.assert_array_equal(ops.conjugate(X), X)
    np.testing.assert_array_equal(ops.imag(X), X * 0)
    assert ops.empty((2, 3)).shape == ops.empty_like(X).shape


def test_istft_gives_the_signal_back():
    signal = np.random.default_rng(0).normal(size=(2, 32)).astype(np.float32)
    for arguments in ((8, 4, 8), (8, 2, 16)):
        parts = ops.stft(signal, *arguments)
        back = ops.istft(parts, *arguments, length=32)
        np.testing.assert_allclose(back, signal, atol=1e-5)


def test_inverse_of_a_matrix_that_needs_pivots():
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(4, 6, 6)).astype(np.float32)
    matrices[:, 0, 0] = 0.0
    np.testing.assert_allclose(
        ops.inv(matrices) @ matrices, np.eye(6)[None].repeat(4, 0), atol=1e-4
    )


def test_plain_functions_tell_about_tensors():
    assert [ops.is_tensor(x) for x in (X, keras.Input((3,)), Variable(X, "x"), 2, [1])] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert [ops.dtype(x) for x in (X, keras.Input((3,), dtype="int32"), 2.5, [1])] == [
        *("float32", "int32", "float32", "int32")
    ]
    assert ops.convert_to_numpy([1.5]).dtype == np.float32
    with pytest.raises(TypeError, match="has no value yet"):
        ops.convert_to_numpy(keras.Input((3,)))
    assert ops.shape(X) == (2, 3)
    assert ops.size(X) == 6
    assert ops.ndim(X) == 2


def test_size_of_the_batch_is_a_tensor():
    x = keras.Input((3,))
    batch, width = ops.shape(x)
    assert width == 3
    model = keras.Model(x, [ops.reshape(x, (batch * 3,)), ops.zeros((batch, 2)), ops.arange(batch)])
    flat, zeros, counted = model(X)
    np.testing.assert_array_equal(flat, X.ravel())
    assert zeros.shape == (2, 2)
    np.testing.assert_array_equal(counted, [0, 1])


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"`mean` got an unexpected keyword argument 'axes'"):
        ops.mean(X, axes=1)
    with pytest.raises(ValueError, match="axis 2 is out of bounds for a tensor of 2 axes"):
        ops.sum(X, axis=2)
    with pytest.raises(ValueError, match="is not divisible by 2"):
        ops.split(X, 2, axis=1)
    with pytest.raises(ValueError, match="either both should be `None`"):
        ops.where(X > 0, X)
    with pytest.raises(ValueError, match="Cannot squeeze axis=1"):
        ops.squeeze(X, axis=1)
    with pytest.raises(ValueError, match="singular values"):
        ops.norm(X, ord="nuc", axis=(0, 1))
    with pytest.raises(ValueError, match="no sparse tensors"):
        ops.one_hot(np.array([0]), 2, sparse=True)


def test_operators_of_tensors_are_these_functions():
    x = keras.Input((3,))
    expressions = [
        *(x + 1, 1 - x, x * x, 2 / x, x // 2, x % 2, x**2, -x, abs(x), round(x), x @ X.T),
        *(x < 1, x <= 1, x > 1, x >= 1, (x > 0) & (x < 2), (x > 0) | (x < -1)),
        *(~(x > 0), (x > 0) ^ (x < 2), x[:, 1], x[..., None]),
    ]
    wanted = [
        *(X + 1, 1 - X, X * X, 2 / X, X // 2, X % 2, X**2, -X, abs(X), X.round(), X @ X.T),
        *(X < 1, X <= 1, X > 1, X >= 1, (X > 0) & (X < 2), (X > 0) | (X < -1)),
        *(~(X > 0), (X > 0) ^ (X < 2), X[:, 1], X[..., None]),
    ]
    for found, want in zip(keras.Model(x, expressions)(X), wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-6)


def test_places_that_many_share_are_added_up_without_loss():
    rng = np.random.default_rng(2)
    places = rng.integers(0, 4, 40_000)
    parts = rng.integers(0, 3, (40_000, 16)).astype(np.float32)
    wanted = np.stack([parts[places == i].sum(0) for i in range(4)])
    np.testing.assert_array_equal(ops.segment_sum(parts, places, 4), wanted)
    np.testing.assert_array_equal(ops.scatter(places[:, None], parts, (4, 16)), wanted)
    added = ops.scatter_update(np.ones((4, 16), np.float32), places[:, None], parts, "add")
    np.testing.assert_array_equal(added, wanted + 1)
