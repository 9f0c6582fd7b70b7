"""Calls of the functions of tensors: arguments on which Keras and seqonnx must agree.

Only NumPy is needed here, so that a program in Keras's own environment can read the table, too
(`record_keras_values.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A call.

    Args:
        name: name of the function; `image.resize` for one of a module.
        args: its arguments.
        kwargs: its keyword arguments.
        number: number of the case among those of the function.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    number: int

    @property
    def id(self) -> str:
        """How the case is called."""
        return self.name if self.number == 0 else f"{self.name}-{self.number}"


CASES: list[Case] = []


def add(names: str, *args: Any, **kwargs: Any) -> None:
    """Enter a call of one function, or of several with the same arguments."""
    for name in names.split():
        number = sum(case.name == name for case in CASES)
        CASES.append(Case(name, args, kwargs, number))


f32, i32, u8 = np.float32, np.int32, np.uint8
X = np.array([[0.5, -1.25, 2.0], [-0.75, 1.5, -2.5]], f32)
Y = np.array([[1.5, -0.5, 0.25], [2.0, -1.0, 3.0]], f32)
P = np.array([[0.5, 1.25, 2.0], [0.75, 1.5, 2.5]], f32)
U = np.array([[0.1, -0.6, 0.85], [-0.25, 0.5, -0.9]], f32)
ROW = np.array([1.0, -2.0, 0.5], f32)
N = np.array([[3, -2, 5], [7, 4, -6]], i32)
M = np.array([[2, 3, -4], [-5, 1, 3]], i32)
B = np.array([[True, False, True], [False, False, True]])
C = np.array([[False, False, True], [True, False, True]])
H = np.array([[0.5, -1.25, 2.0]], np.float16)
CUBE = (np.arange(24, dtype=f32).reshape(2, 3, 4) * 7 % 11) - 5
NANS = np.array([[1.0, np.nan, -2.0], [np.nan, np.nan, np.nan], [4.0, 0.5, np.nan]], f32)
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -1.5], f32)
SQUARE = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]], f32)
BATCH = np.stack([SQUARE, SQUARE[::-1] + 1.5])
IMAGE = (np.arange(32, dtype=f32).reshape(1, 4, 4, 2) * 5 % 13) / 4 - 1

# Arithmetic.
for operands in ((X, Y), (X, ROW), (N, M), (X, 2), (N, 2), (N, 2.5), (B, C), (N, X), (H, 2.0)):
    add("add multiply", *operands)
for operands in ((X, Y), (N, M), (N, 2), (N, 1.5)):
    add("subtract divide true_divide floor_divide mod maximum minimum", *operands)
add("fmod", X, Y)
add("fmod", N, M)
add("fmax fmin", np.array([1, np.nan, -3], f32), np.array([np.nan, 2, -5], f32))
add("divide_no_nan", X, np.array([2.0, 0.0, -1.0], f32))
add("power", P, Y)
add("power", np.abs(N), 2)
add("power", X, 3)
add("negative absolute abs fabs sign square", X)
add("negative absolute abs fabs sign square", N)
add("clip", X, -1.0, 1.0)
add("clip", N, -3, 4)
add("clip", X, np.array([-1, -1, 0], f32), 1.0)
add("gcd lcm", np.array([12, 7, -18, 0], i32), np.array([18, 21, 12, 5], i32))

# Elementary functions.
add("exp exp2 expm1 floor ceil trunc deg2rad rad2deg sin cos tan sinh cosh tanh arcsinh arctan", X)
add("exp expm1 sin cos tan tanh sinh cosh arctan arcsinh floor ceil sqrt exp2", np.abs(N))
add("log log1p log2 log10 sqrt rsqrt cbrt reciprocal", P)
add("log1p expm1", np.array([1e-7, -1e-5, 1e-3, 0.0, 3.0, -0.75], f32))
add("cbrt sinc", X)
add("sinc", np.array([0.0, 1.0, 0.5], f32))
add("round", np.array([0.5, 1.5, -2.5, 3.7, -1.2], f32))
add("round", X, 1)
add("round", np.array([15, 24, -36], i32), -1)
add("arcsin arccos arctanh erfinv", U)
add("arccosh", P + 1)
add("erf erfc", X)
add("erfinv", np.array([0.0, 0.999, -0.999999, 1.0], f32))
add("i0", np.array([-5.0, 0.0, 1.0, 3.7, 10.0], f32))
add("arctan2", X, Y)
add("arctan2", np.array([0.0, -0.0, 1.0, -1.0, 0.0], f32), np.array([1, -1, 0, 0, -2], f32))
add("logaddexp logaddexp2 hypot heaviside", X, Y)
add("logaddexp", np.array([-np.inf, 100.0], f32), np.array([-np.inf, -100.0], f32))
add("hypot", np.array([3, 0], i32), np.array([4, 0], i32))
add("heaviside", np.array([0.0, -1.0, 2.0], f32), 0.5)
add("ldexp", X, np.array([1, -2, 3], i32))
add("signbit", np.array([-0.0, 0.0, -2.0, 3.0], f32))
add("nan_to_num isnan isinf isfinite isposinf isneginf", ODD)
add("nan_to_num", ODD, 7.0, 8.0, -9.0)
add("isnan isinf isfinite", N)
add("angle real", X)
add("isreal", ODD)

# Comparison, logic, bits.
add("equal not_equal less less_equal greater greater_equal", X, np.array([0.5, 1, 2], f32))
add("equal not_equal less less_equal greater greater_equal", N, 4)
add("equal not_equal", B, C)
add("logical_and logical_or logical_xor", B, C)
add("logical_and logical_or logical_xor", N, np.array([0, 1, 2], i32))
add("logical_not", B)
add("logical_not", X)
add("isclose allclose", X, X + np.array([0, 1e-7, 0.1], f32))
add("isclose", ODD, ODD, equal_nan=True)
add("isclose", N, N)
add("isin", N, np.array([5, -6, 8], i32))
add("isin", N, np.array([5, -6, 8], i32), invert=True)
add("bitwise_and bitwise_or bitwise_xor", N, M)
add("bitwise_and bitwise_or bitwise_xor", B, C)
add("bitwise_not bitwise_invert", N)
add("bitwise_not", B)
add("bitwise_left_shift left_shift", N, 2)
add("bitwise_right_shift right_shift", N, 1)
add("bitwise_right_shift", np.array([200, 7], u8), np.array([3, 1], u8))

# Reductions.
REDUCING = "sum prod mean max min amax amin ptp any all var std median logsumexp argmax argmin"
add(REDUCING, CUBE)
for axis in (1, -2):
    add(REDUCING, CUBE, axis=axis)
    add(REDUCING, CUBE, axis=axis, keepdims=True)
add("sum mean max min amax amin any all var std median logsumexp", CUBE, axis=(0, 2))
add("sum prod mean max min any all var std argmax argmin median", N, axis=0)
add("sum prod mean any all argmax argmin", B, axis=1)
add("sum prod mean max", np.array([[200, 100], [3, 4]], u8), axis=1)
add("mean var sum", H)
add("max min", X, axis=1, initial=0.5)
add("count_nonzero", np.array([[0, 1, 2], [0, 0, 3]], f32))
add("count_nonzero", np.array([[0, 1, 2], [0, 0, 3]], f32), axis=1)
add("average", X)
add("average", X, axis=1, weights=np.array([1, 2, 3], f32))
add("average", N, axis=0)
add("moments", CUBE, axes=(0, 1))
add("quantile", CUBE, 0.3)
add("quantile", CUBE, np.array([0.0, 0.4, 1.0], f32), axis=1)
add("quantile", CUBE, 0.3, axis=(0, 2), keepdims=True)
add("quantile", CUBE, np.array([0.25, 0.5], f32), axis=2, keepdims=True)
for method in ("lower", "higher", "midpoint", "nearest"):
    add("quantile", CUBE, 0.35, axis=2, method=method)
add("percentile", CUBE, 30, axis=1)
add("corrcoef", X)
NAN_REDUCING = "nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian"
add(NAN_REDUCING, NANS)
add(NAN_REDUCING + " nanargmax nanargmin", NANS, axis=1)
add(NAN_REDUCING, NANS, axis=0, keepdims=True)
add("nansum nanmax nanmean", N, axis=1)
add("nanquantile", NANS, 0.3, axis=1)
add("nanpercentile", NANS, np.array([20.0, 70.0], f32), axis=0)
add("nancumsum nancumprod", NANS, axis=1)
add("cumsum cumprod", CUBE, axis=1)
add("cumsum cumprod", X)
add("cumsum cumprod", N, axis=-1)
add("cumsum cumprod", B, axis=0)
add("cumsum cumprod", N, axis=0, dtype="float32")
add("diff", CUBE)
add("diff", CUBE, n=2, axis=1)
add("trapezoid", X)
add("trapezoid", X, dx=0.5, axis=0)
add("trapezoid", X, np.array([0.0, 1.0, 3.0], f32))

# Shapes.
add("reshape", CUBE, (4, 6))
add("reshape", CUBE, (-1, 2, 3))
add("ravel transpose shape size ndim copy", CUBE)
add("transpose", CUBE, (1, 0, 2))
add("swapaxes", CUBE, 0, 2)
add("moveaxis", CUBE, 0, -1)
add("moveaxis", CUBE, (0, 1), (1, 2))
add("expand_dims", X, 1)
add("expand_dims", X, (0, -1))
add("squeeze", X[None, :, None])
add("squeeze", X[None, :, None], axis=0)
add("broadcast_to", X, (2, 2, 3))
add("flip", CUBE)
add("flip", CUBE, axis=(0, 2))
add("fliplr flipud", CUBE)
add("rot90", CUBE)
add("rot90", CUBE, k=2, axes=(1, 2))
add("rot90", CUBE, k=3, axes=(2, 0))
add("roll", CUBE, 2)
add("roll", CUBE, -1, axis=1)
add("roll", CUBE, (1, 5), axis=(0, 2))
add("tile", X, 2)
add("tile", X, (2, 1, 2))
add("repeat", X, 2)
add("repeat", CUBE, 2, axis=1)
add("repeat", X, np.array([1, 0, 2]), axis=1)
add("pad", X, ((1, 0), (0, 2)))
add("pad", X, ((1, 1), (2, 0)), constant_values=3.0)
add("pad", CUBE, ((0, 0), (2, 1), (1, 2)), mode="reflect")
add("pad", N, ((1, 0), (0, 2)))
add("concatenate", [X, Y])
add("concatenate", [X, N], axis=1)
add("stack", [X, Y], axis=1)
add("append", X, Y)
add("append", X, Y, axis=1)
add("hstack vstack dstack", [X, Y])
add("hstack vstack dstack", [ROW, ROW + 1])
add("split", CUBE, 2, axis=2)
add("split", CUBE, [1, 3], axis=2)
add("array_split", CUBE, 2, axis=1)
add("hsplit", CUBE, 3)
add("vsplit", CUBE, 2)
add("dsplit", CUBE, [1])
add("unstack", CUBE, axis=1)
add("meshgrid", ROW, np.array([1.0, 2.0], f32))
add("meshgrid", ROW, np.array([1.0, 2.0], f32), indexing="ij")
add("tril triu", CUBE)
add("tril triu", N, 1)
add("diag diagflat", ROW)
add("diag", ROW, -1)
add("diag", CUBE[0], 1)
add("diagonal trace", CUBE)
add("diagonal", CUBE, offset=-1, axis1=1, axis2=2)
add("trace", N)
add("vander", ROW)
add("vander", np.array([1, 2, 3], i32), 2, True)
add("rearrange", CUBE, "a b c -> b (a c)")
add("rearrange", CUBE, "a (b e) c -> e a b c", e=3)

# Places.
add("take", CUBE, np.array([1, 0, -1], i32))
add("take", CUBE, np.array([[1, 0], [2, -1]], i32), axis=1)
add("take_along_axis", X, np.array([[0, 2, 1], [1, 1, 0]], i32), axis=1)
add("take_along_axis", X, np.array([[0], [2]], i32), axis=1)
add("where", B, X, Y)
add("where", B, X, 0)
add("where nonzero", B)
add("select", [B, C], [X, Y], 5.0)
add("slice", CUBE, (0, 1, 1), (2, 2, 3))
add("slice", CUBE, np.array([0, 1, 1], i32), (2, 2, 3))
add("slice_update", CUBE, (0, 1, 2), np.ones((1, 2, 2), f32))
add("slice_update", CUBE, np.array([0, 1, 2], i32), np.ones((1, 2, 2), f32))
add("scatter", np.array([[0, 1], [1, 0], [0, 1]], i32), np.array([2.0, 3.0, 4.0], f32), (2, 2))
add("scatter", np.array([[1], [3]], i32), X, (5, 3))
add("scatter_update", X, np.array([[0, 1], [1, 2]], i32), np.array([9.0, 8.0], f32))
PLACES = np.array([[0, 1], [1, 2], [0, 1]], i32)
for how in ("add", "max", "min", "mul"):
    add("scatter_update", X, PLACES, np.array([9.0, -8.0, 3.0], f32), reduction=how)
add("unravel_index", np.array([0, 5, 11], i32), (3, 4))
add("searchsorted", np.array([1.0, 2.0, 2.0, 3.0], f32), np.array([2.0, 0.5, 9.0], f32))
add("searchsorted", np.array([1.0, 2.0, 2.0, 3.0], f32), np.array([[2.0, 0.5]], f32), side="right")
add("digitize", X, np.array([-1.0, 0.0, 0.5, 2.0], f32))
add("one_hot", np.array([0, 2, -1], i32), 3)
add("one_hot", np.array([[0, 2], [1, 1]], i32), 3, axis=1)
add("one_hot", np.array([0, 2], i32), 3, dtype="int32")
add("multi_hot", np.array([[0, 2], [1, 1]], i32), 4)
add("segment_sum segment_max segment_min segment_prod", X.T.copy(), np.array([1, 0, 1], i32))
add("segment_sum segment_prod", X.T.copy(), np.array([1, 0, 1], i32), num_segments=4)
add("bincount", np.array([1, 3, 1], i32))
add("bincount", np.array([[1, 3, 1], [0, 0, 2]], i32), minlength=5)
add("bincount", np.array([1, 3, 1], i32), weights=np.array([0.5, 1.0, 2.0], f32))
add("sort argsort", CUBE)
add("sort argsort", CUBE, axis=1)
add("sort argsort", X, axis=None)
add("sort", N)
add("top_k", CUBE, 2)
add("top_k", N, 2)
add("in_top_k", np.array([2, 0], i32), X, 2)
add("unique", np.array([3, 1, 3, 2], i32))
add("unique", np.array([3, 1, 3, 2], i32), return_inverse=True, return_counts=True)
add("unique", np.array([3, 1, 3, 2], i32), size=5, fill_value=9)

# Creation.
add("zeros ones", (2, 3))
add("zeros ones", (2,), dtype="int32")
add("full", (2, 2), 3.0)
add("full", (2, 3), ROW, dtype="float32")
add("zeros_like ones_like", N)
add("zeros_like ones_like", X, dtype="int32")
add("full_like", X, 2)
add("arange", 5)
add("arange", 1, 7, 2)
add("arange", 0.5, 2.0, 0.5)
add("arange", 3, dtype="float32")
add("eye", 3)
add("eye", 2, 4, 1)
add("identity", 3, dtype="int32")
add("tri", 3)
add("tri", 2, 4, 1)
add("linspace", 0.0, 1.0, 5)
add("linspace", 0.0, 1.0, 5, endpoint=False)
add("logspace", 0.0, 2.0, 3)
add("geomspace", 1.0, 8.0, 4)
add("bartlett blackman hamming hanning", 5)
add("kaiser", 5, 3.0)

# Products.
add("matmul dot", X, Y.T.copy())
add("inner", X, Y)
add("matmul", CUBE, CUBE.transpose(0, 2, 1).copy())
add("matmul", N, M.T.copy())
add("matmul", CUBE, np.arange(4, dtype=f32))
add("dot", X, ROW)
add("dot", X, 2.0)
add("inner", CUBE, np.arange(4, dtype=f32))
add("outer", ROW, X)
add("vdot", ROW, ROW + 1)
add("tensordot", CUBE, CUBE.transpose(1, 2, 0).copy(), 2)
add("tensordot", CUBE, Y, ([0, 1], [0, 1]))
add("tensordot", CUBE, X, (1, 1))
add("kron", X, np.array([[1.0, 2.0]], f32))
add("cross", X, Y)
add("einsum", "ij,kj->ik", X, Y)
add("einsum", "bij,bkj->bik", CUBE, CUBE)
add("einsum", "ii->i", SQUARE)
add("einsum", "...j,j->...", X, ROW)
add("correlate", ROW, np.array([1.0, 0.5], f32))
add("correlate", ROW, np.array([1.0, 0.5], f32), mode="full")
add("correlate", np.arange(5, dtype=f32), ROW, mode="same")
add("cdist", X, Y)
add("norm", X)
add("norm", X, axis=1)
add("norm", X, ord=1, axis=0, keepdims=True)
for order in (1, -1, np.inf, -np.inf):
    add("norm", X, ord=order, axis=(0, 1))
for order in (0, 3, np.inf, -np.inf):
    add("norm", X, ord=order, axis=1)
add("det slogdet inv", BATCH)
add("logdet cholesky", SQUARE)
add("cholesky", SQUARE, upper=True)
add("cholesky_inverse", np.linalg.cholesky(SQUARE).astype(f32))
add("solve", BATCH, np.ones((2, 3, 2), f32) * ROW[:, None])
add("solve", SQUARE, ROW)
add("solve_triangular", SQUARE, np.ones((3, 1), f32), lower=True)

# Neural networks.
ACTIVATIONS = (
    "relu relu6 leaky_relu sigmoid hard_sigmoid hard_silu hard_swish hard_tanh hard_shrink "
    "soft_shrink tanh_shrink elu selu celu gelu silu swish softplus softsign squareplus "
    "log_sigmoid sparse_plus sparse_sigmoid softmax log_softmax"
)
add(ACTIVATIONS, X)
add("gelu", X, approximate=False)
add("softmax log_softmax", CUBE, axis=1)
add("glu", CUBE)
add("threshold", X, 0.5, -3.0)
add("normalize", CUBE)
add("normalize", CUBE, axis=1, order=3)
add("batch_normalization", CUBE, ROW, np.abs(ROW), 1)
add("batch_normalization", CUBE, ROW, np.abs(ROW), 1, offset=ROW, scale=ROW + 1)
add("layer_normalization", CUBE)
add("layer_normalization", X, gamma=ROW, beta=ROW + 1)
add("rms_normalization", X, scale=ROW)
add("binary_crossentropy", np.array([0, 1, 1], f32), np.array([0.2, 0.9, 0.4], f32))
add("binary_crossentropy", B.astype(f32), X, from_logits=True)
add("categorical_crossentropy", np.eye(3, dtype=f32)[:2], P)
add("categorical_crossentropy", np.eye(3, dtype=f32)[:2], X, from_logits=True)
add("sparse_categorical_crossentropy", np.array([0, 2], i32), P)
add("sparse_categorical_crossentropy", np.array([0, 2], i32), X, from_logits=True)
add("psnr", X, Y, 2.0)
KERNEL = (np.arange(12, dtype=f32).reshape(2, 2, 1, 3) * 5 % 7) - 3
KERNEL2 = (np.arange(24, dtype=f32).reshape(2, 2, 2, 3) * 5 % 7) - 3
add("conv", IMAGE, KERNEL2)
add("conv", IMAGE, KERNEL2, strides=2, padding="same")
add("conv", IMAGE, KERNEL2, dilation_rate=2, padding="same")
add("depthwise_conv", IMAGE, KERNEL2)
add("separable_conv", IMAGE, KERNEL2, np.ones((1, 1, 6, 2), f32) / 4, padding="same")
add("conv_transpose", IMAGE, KERNEL2.transpose(0, 1, 3, 2).copy(), strides=2)
add("conv_transpose", IMAGE, KERNEL2.transpose(0, 1, 3, 2).copy(), strides=2, padding="same")
add("max_pool average_pool", IMAGE, 2)
add("max_pool average_pool", IMAGE, 3, strides=1, padding="same")
add("max_pool", IMAGE.transpose(0, 3, 1, 2).copy(), 2, data_format="channels_first")
add("adaptive_average_pool adaptive_max_pool", IMAGE, 2)
add("adaptive_average_pool", CUBE, 2)
Q = (np.arange(24, dtype=f32).reshape(1, 3, 2, 4) * 7 % 11) / 5 - 1
add("dot_product_attention", Q, Q + 0.5, Q * 2)
add("dot_product_attention", Q, Q + 0.5, Q * 2, is_causal=True)
add("dot_product_attention", Q, Q, Q, mask=np.tri(3, dtype=bool)[None, None], scale=0.3)
add("depth_to_space", IMAGE.reshape(1, 2, 2, 8), 2)
add("space_to_depth", IMAGE, 2)
add("unfold", IMAGE.transpose(0, 3, 1, 2).copy(), 2)
add("unfold", IMAGE.transpose(0, 3, 1, 2).copy(), (2, 3), dilation=1, padding=1, stride=2)
add("fold", np.arange(72, dtype=f32).reshape(1, 8, 9), (4, 4), 2)

add("sparsemax", X)
add("sparsemax", CUBE, axis=1)

# Signals.
SIGNAL = np.array([[0.5, -1.0, 2.0, 0.25, 1.5, -0.5, 0.75, 1.0]], f32)
add("rfft", SIGNAL)
add("rfft", SIGNAL, 6)
add("fft", (SIGNAL, SIGNAL[:, ::-1].copy()))
add("fft2 ifft2", (X, Y))
add("irfft", (SIGNAL[:, :5].copy(), np.array([[0, 1, 2, -1, 0]], f32)))
add("irfft", (SIGNAL[:, :5].copy(), np.array([[0, 1, 2, -1, 0]], f32)), 8)
add("extract_sequences", SIGNAL, 4, 2)
add("stft", SIGNAL, 4, 2, 4)
add("stft", SIGNAL, 4, 2, 8, window="hamming", center=False)

# Conversion.
add("cast", X, "int32")
add("cast", N, "float32")
add("cast", X, "bool")
add("saturate_cast", np.array([-5.0, 300.0, 7.6], f32), "uint8")
add("convert_to_tensor array", X)
add("convert_to_tensor", [1, 2])
add("convert_to_tensor", [1.5, 2], dtype="float16")
add("stop_gradient", X)
add("histogram", np.array([0.0, 1.0, 1.5, 4.0], f32), bins=4)
