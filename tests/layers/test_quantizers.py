"""`seqonnx.quantizers`: the functions of Keras 3.15.1, by their definition and its values."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx
from seqonnx import dtype_policies, quantizers

X = np.array([[-2, -0.3, 0.26, 0.9], [0.1, 0.4, 1.4, 3.0]], np.float32)


def test_largest_number_becomes_the_largest_integer():
    """round(x * 127 / (max |x| + epsilon)), half to even."""
    for axis in (0, 1, -1, (0, 1), None):
        integers, scale = quantizers.abs_max_quantize(X, axis)
        wanted = 127 / (np.abs(X).max(axis=axis, keepdims=True) + 1e-7)
        np.testing.assert_allclose(scale, wanted, rtol=1e-6)
        np.testing.assert_array_equal(integers, np.round(X * scale).astype(np.int8))
    integers, _ = quantizers.abs_max_quantize(X, 0, (-8, 7), "int32", epsilon=1.0)
    assert integers.dtype == np.int32
    assert integers.tolist() == np.round(X * 7 / (np.abs(X).max(axis=0) + 1)).tolist()
    assert quantizers.abs_max_quantize(np.float16(X), 0)[1].dtype == np.float16


def test_zeros_have_a_finite_scale():
    integers, scale = quantizers.AbsMaxQuantizer(epsilon=0.5)(np.zeros((2, 3), np.float32))
    assert integers.tolist() == [[0] * 3] * 2
    assert scale.tolist() == [[254.0]] * 2


def test_axis_of_the_call_comes_before_that_of_the_constructor_and_before_the_last():
    shapes = [quantizers.AbsMaxQuantizer(axis=0)(X, axis=1)[1].shape]
    shapes += [
        quantizers.AbsMaxQuantizer(axis=0)(X)[1].shape,
        quantizers.AbsMaxQuantizer()(X)[1].shape,
    ]
    assert shapes == [(2, 1), (1, 4), (2, 1)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [[-0.50118, -0.29647, 0.26118, 0.90353], [0.09882, 0.40235, 1.29882, 1.29882]]),
        (
            {"num_bits": 3},
            [[-0.51429, -0.25714, 0.25714, 1.02857], [0.0, 0.51429, 1.28571, 1.28571]],
        ),
        (
            {"num_bits": 4, "narrow_range": True},
            [[-0.51429, -0.25714, 0.25714, 0.9], [0.12857, 0.38571, 1.28571, 1.28571]],
        ),
    ],
)
def test_fake_quantisation_is_that_of_keras(options, wanted):
    """Values and gradients by Keras 3.15.1 on torch, for the ends -0.5 and 1.3."""
    given = quantizers.fake_quant_with_min_max_vars(X, -0.5, 1.3, **options)
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    weights = np.arange(8, dtype=np.float32).reshape(2, 4)

    def total(x, low, high):
        rounded = quantizers.fake_quant_with_min_max_vars(x, low, high, **options)
        return seqonnx.ops.sum(rounded * weights)

    slopes = seqonnx.grad(total, argnums=(0, 1, 2))(X, np.float32(-0.5), np.float32(1.3))
    assert slopes[0].tolist() == [[0, 1, 2, 3], [4, 5, 0, 0]]
    assert (float(slopes[1]), float(slopes[2])) == (0.0, 13.0)


def test_fake_quantisation_has_ends_for_each_entry_of_an_axis():
    given = quantizers.fake_quant_with_min_max_vars(X, [-0.5, -1.0], [1.3, 2.0], axis=0)
    wanted = [[-0.50118, -0.29647, 0.26118, 0.90353], [0.10588, 0.4, 1.4, 2.0]]  # Keras 3.15.1
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_blocks_are_those_of_keras():
    """Recorded from `abs_max_quantize_grouped_with_zero_point(x, 2, to_numpy=True)`."""
    x = np.array([[0.12573, -0.1321], [0.64042, 0.1049], [-0.53567, 0.3616]], np.float32)
    integers, scale, zero = quantizers.abs_max_quantize_grouped_with_zero_point(x, 2, to_numpy=True)
    assert integers.tolist() == [[-4, -8], [7, 7], [-8, 7]]
    np.testing.assert_allclose(scale, [[0.0343127, 0.0158], [0.0357113, 0.0241067]], rtol=1e-4)
    assert zero.tolist() == [[-8, 0], [7, -8]]


@pytest.mark.parametrize(("dtype", "low", "high"), [("int8", -8, 8), ("uint8", 0, 16)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_two_integers_share_a_byte_and_come_back(dtype, low, high, axis):
    integers = np.random.default_rng(0).integers(low, high, (3, 5)).astype(dtype)
    packed, shape, length = quantizers.pack_int4(integers, axis, dtype)
    first = np.take(integers, np.arange(0, length, 2), axis).astype(int) % 16
    second = np.take(integers, np.arange(1, length, 2), axis).astype(int) % 16
    padding = [(0, 0), (0, 0)]
    padding[axis] = (0, length % 2)
    np.testing.assert_array_equal(packed.view(np.uint8), first + 16 * np.pad(second, padding))
    assert (packed.shape, packed.dtype, length) == (shape, dtype, integers.shape[axis])
    np.testing.assert_array_equal(quantizers.unpack_int4(packed, length, axis, dtype), integers)


def test_scales_of_8_bit_floats_follow_the_largest_numbers():
    scale = quantizers.compute_float8_scale
    assert scale(224.0, 1.0, 448.0).tolist() == 0.5
    assert scale(224.0, 1.0, 448.0, margin=2).tolist() == 2.0
    assert [scale(np.float32(x), 3.0, 448.0).tolist() for x in (0, np.inf)] == [3.0, 3.0]
    history = quantizers.compute_float8_amax_history([-3.0, 1.0], [5.0, 2.0, 4.0])
    assert history.tolist() == [3.0, 4.0, 5.0]  # Keras 3.15.1: rolled, and the first replaced
    assert quantizers.compute_float8_amax_history([2.0], [1.0]).tolist() == [2.0]


def test_numbers_rounded_to_8_bit_floats():
    """e4m3 has 3 bits behind the point and reaches 448, e5m2 2 and 57,344."""
    x = np.array([1.03, 1.07, 500.0, -1e6], np.float32)
    rounded = quantizers.quantize_and_dequantize(x, 1.0, "float8_e4m3fn", "float32")
    assert rounded.tolist() == [1.0, 1.125, 448.0, -448.0]
    rounded = quantizers.quantize_and_dequantize(x, 2.0, "float8_e5m2", "float32")
    assert rounded.tolist() == [1.0, 1.0, 512.0, -114688.0]
    with pytest.raises(
        ValueError, match=r"must be one of float8_e4m3fn, float8_e5m2\. Received: 'i"
    ):
        quantizers.quantize_and_dequantize(x, 1.0, "int8", "float32")


def test_configurations_come_back_here_and_from_keras():
    config = quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(axis=0))
    again = quantizers.deserialize(quantizers.serialize(config))
    assert again.get_config() == config.get_config()
    of_keras = {  # as Keras 3.15.1 writes it
        "module": "keras.quantizers",
        "class_name": "AbsMaxQuantizer",
        "config": {"value_range": [-8, 7], "epsilon": 1e-07, "output_dtype": "int8"},
        "registered_name": None,
    }
    found = quantizers.get(of_keras)
    assert (found.value_range, found.axis) == ((-8, 7), None)
    assert quantizers.get("AbsMaxQuantizer", axis=1).axis == (1,)
    assert quantizers.get(None) is None
    assert quantizers.get(found) is found
    assert quantizers.Int4QuantizationConfig.from_config({}).block_size is None
    assert quantizers.Int4QuantizationConfig().block_size == 128
    assert dtype_policies.get("int4/128_from_float32").block_size == 128


def test_errors_name_what_is_legal():
    with pytest.raises(ValueError, match=r"within the interval \[-128, 127\]. Received: value_r"):
        quantizers.AbsMaxQuantizer(value_range=(-200, 127))
    with pytest.raises(
        ValueError, match=r"weight_quantizer with output_dtype='int8'\. Received: out"
    ):
        quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(output_dtype="int32"))
    with pytest.raises(ValueError, match=r"with value_range=\(-8, 7\). Received: value_range=\(-1"):
        quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(), block_size=None)
    with pytest.raises(ValueError, match="Blocks of int4 have a quantisation of their own"):
        quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(value_range=(-8, 7)))
    with pytest.raises(ValueError, match="`block_size` must be None, -1 or a positive integer"):
        quantizers.Int4QuantizationConfig(block_size=0)
    with pytest.raises(ValueError, match="Could not interpret quantizer identifier: nothing"):
        quantizers.get("nothing")
    with pytest.raises(ValueError, match="Expected dtype to be 'int8' or 'uint8', but got 'int4'"):
        quantizers.pack_int4(np.zeros(2, np.int8), dtype="int4")
    with pytest.raises(TypeError, match="Expected int8 tensor for packing, got int32"):
        quantizers.pack_int4(np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="Expected int8 or uint8 tensor for unpacking, got int32"):
        quantizers.unpack_int4(np.zeros(2, np.int32), 2)
    with pytest.raises(ValueError, match=r"`abs_max_quantize\(to_numpy=True\)` computes at once"):
        seqonnx.grad(
            lambda x: seqonnx.ops.sum(quantizers.abs_max_quantize(x, -1, to_numpy=True)[1])
        )(X)
