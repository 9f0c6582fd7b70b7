"""`x[key]` is what NumPy gives, for keys of every kind."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import ops

X = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
PLACES, PAIR = np.array([1, 0, 1]), np.array([[0], [1]])
MASK = X[..., 0] % 3 == 0
KEYS = [
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, -1),
    slice(None, None, -1),
    (0, 1),
    (0, -1, slice(1, 3)),
    (slice(None), slice(2, 0, -1)),
    (slice(None), slice(None), slice(0, 4, 2)),
    None,
    (None, 0),
    (slice(None), None, 1),
    Ellipsis,
    (Ellipsis, 0),
    (Ellipsis, None),
    (0, Ellipsis, -1),
    (0, None, Ellipsis, slice(1, 2), None),
    np.array([1, 0]),
    [1, 0, 1],
    (slice(None), np.array([2, 0])),
    (slice(None), np.array([[2, 0], [1, 1]])),
    (1, np.array([2, 0])),
    (np.array([1, 0]), 1),
    (slice(None), np.array([2, -1]), None, 1),
    (PLACES, np.array([0, 1, 2])),
    (PLACES, slice(None), np.array([0, 1, 3])),
    (slice(None), np.array([0, 1, 2]), np.array([0, 1, 3])),
    (slice(None), slice(1, 3), np.array([0, 1]), np.array([0, 3])),
    (PAIR, np.array([0, 1, 2])),
    (0, slice(None), np.array([0, 1])),
    (np.array([0, 1]), None, np.array([1, 2])),
    (Ellipsis, np.array([4, 0])),
    MASK,
    (0, MASK[0]),
    np.array([True, False]),
    (slice(None), np.array([True, False, True])),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_key_reads_what_numpy_reads(key):
    np.testing.assert_array_equal(ops.get_item(X, key), X[key])


def test_symbolic_tensor_takes_keys_and_a_file_keeps_them(tmp_path):
    keys = [key for key in KEYS if not is_mask(key)]
    x = keras.Input(X.shape[1:])
    model = keras.Model(x, [x[key] for key in keys])
    model.save(tmp_path / "model.onnx")
    for each in (model, keras.models.load_model(tmp_path / "model.onnx")):
        for found, key in zip(each(X), keys, strict=True):
            np.testing.assert_array_equal(found, X[key], err_msg=repr(key))


def is_mask(key):
    parts = key if isinstance(key, tuple) else (key,)
    return any(isinstance(part, np.ndarray) and part.dtype == bool for part in parts)


def test_part_of_a_tensor_may_depend_on_a_tensor():
    class Reads(keras.layers.Layer):
        def call(self, x):
            return x[:, ops.shape(x)[1] - 2 :], x[ops.cast(ops.sum(x[0, 0]), "int32")]

    rest, row = Reads()(np.array([[0.0, 5.0, 6.0], [1.0, 7.0, 8.0]], np.float32))
    np.testing.assert_array_equal(rest, [[5, 6], [7, 8]])
    np.testing.assert_array_equal(row, [0, 5, 6])


def test_key_of_too_many_parts_or_of_numbers_with_fractions_is_refused():
    with pytest.raises(IndexError, match="Too many indices: the tensor has 4 axes"):
        ops.get_item(X, (0, 0, 0, 0, 0))
    with pytest.raises(TypeError, match="A key holds integers, slices"):
        ops.get_item(X, np.array([0.5]))


def test_gather_of_several_tensors_learns():
    class Picks(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight((2, 3), "ones", name="table")

        def call(self, x):
            return x + self.table[np.array([0, 1]), np.array([2, 0])]

    layer = Picks()
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), verbose=0)
    np.testing.assert_allclose(np.asarray(layer.table), [[1, 1, 0], [0, 1, 1]])
