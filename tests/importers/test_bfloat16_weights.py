"""Weights in 16 bits through every file of weights, and to and from Keras."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError

SAMPLE = Path(__file__).with_name("samples") / "bfloat16.weights.h5"  # by Keras 3.15.1
KERNEL = (np.arange(6).reshape(3, 2) / 7 - 0.4).astype(ml_dtypes.bfloat16)
BIAS = np.array([0.1, -0.2]).astype(ml_dtypes.bfloat16)


def make(dtype: str) -> keras.Sequential:
    keras.clear_session(free_memory=False)
    return keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=dtype)])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_bfloat16_of_keras_is_read_into_every_dtype(dtype):
    pytest.importorskip("h5py")
    model = make(dtype)
    model.load_weights(SAMPLE)
    kernel, bias = model.get_weights()
    assert kernel.dtype.name == dtype
    np.testing.assert_array_equal(kernel, KERNEL.astype(kernel.dtype))
    np.testing.assert_array_equal(bias, BIAS.astype(kernel.dtype))


def test_bfloat16_is_written_as_keras_writes_it(tmp_path):
    h5py = pytest.importorskip("h5py")
    model = make("bfloat16")
    model.set_weights([KERNEL, BIAS])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as own, h5py.File(SAMPLE) as other:
        for name in ("layers/dense/vars/0", "layers/dense/vars/1"):
            assert own[name].dtype == other[name].dtype == "V2"
            assert dict(own[name].attrs) == dict(other[name].attrs) == {"dtype": "bfloat16"}
            assert own[name][()].tobytes() == other[name][()].tobytes()


@pytest.mark.parametrize("suffix", [".weights.h5", ".npz"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_come_back_bit_for_bit(tmp_path, suffix, dtype):
    if suffix == ".weights.h5":
        pytest.importorskip("h5py")
    model = make(dtype)
    path = tmp_path / f"m{suffix}"
    model.save_weights(path)
    other = make(dtype)
    other.set_weights([0 * weight for weight in other.get_weights()])
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert a.dtype == b.dtype == dtype
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("mark", [None, "float8_e4m3fn", 3])
def test_bytes_that_are_not_marked_as_bfloat16_are_refused(tmp_path, mark):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "m.weights.h5"
    path.write_bytes(SAMPLE.read_bytes())
    with h5py.File(path, "a") as file:
        attributes = file["layers/dense/vars/0"].attrs
        del attributes["dtype"]
        if mark is not None:
            attributes["dtype"] = mark
    with pytest.raises(ModelFileError, match="holds no numbers"):
        make("bfloat16").load_weights(path)
