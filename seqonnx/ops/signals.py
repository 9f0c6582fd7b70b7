"""Fourier transforms, of whole signals and of pieces; complex numbers are pairs of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.arranging import pad
from seqonnx.ops.promotion import floating, floats, result_type, tensor
from seqonnx.ops.sizes import noted, product, rank_of, reshaped, scalar, size_of, sizes_of
from seqonnx.ops.windows import PERIODIC
from seqonnx.tensor_function import tensor_function

Pair = tuple[ir.Value, ir.Value]


@tensor_function()
def fft(op: Emitter, x: Any) -> Pair:
    """Return the Fourier transform along the last axis.

    Args:
        x: pair of real and imaginary parts.

    Returns:
        Real and imaginary parts.

    Example:
        >>> fft((np.ones(2), np.zeros(2)))[0].tolist()
        [2.0, 0.0]
    """
    return _parts(op, _transformed(op, _complex(op, x), -2))


@tensor_function()
def fft2(op: Emitter, x: Any) -> Pair:
    """Return the Fourier transform along the last two axes; see `fft`."""
    return _parts(op, _transformed(op, _transformed(op, _complex(op, x), -2), -3))


@tensor_function()
def ifft2(op: Emitter, x: Any) -> Pair:
    """Return the inverse of `fft2`."""
    inside = _transformed(op, _complex(op, x), -2, inverse=1)
    return _parts(op, _transformed(op, inside, -3, inverse=1))


@tensor_function()
def rfft(op: Emitter, x: Any, fft_length: int | None = None) -> Pair:
    """Return the first half of the Fourier transform of real signals: the other one mirrors it.

    Args:
        x: signals along the last axis.
        fft_length: signals are cut, or filled up with zeros, to this length.
    """
    value = op.Unsqueeze(floating(op, x), [-1])
    length = None if fft_length is None else np.array(fft_length, np.int64)
    rank = rank_of(value)
    made = op.DFT(value, length, np.array(rank - 2, np.int64), onesided=1)
    count = static_shape(value)[-2] if fft_length is None else fft_length
    bins = count // 2 + 1 if isinstance(count, int) else None
    return _parts(op, noted(made, [*static_shape(value)[:-2], bins, 2]))


@tensor_function()
def irfft(op: Emitter, x: Any, fft_length: int | None = None) -> ir.Value:
    """Return the real signal whose half of a Fourier transform is given.

    Args:
        x: pair of real and imaginary parts.
        fft_length: length of the signal; default 2 (bins - 1).

    Raises:
        ValueError: if neither it nor the number of bins is known.
    """
    half = _complex(op, x)
    have = static_shape(half)[-2]
    if fft_length is None and not isinstance(have, int):
        raise ValueError("`irfft` must know the length of the signal: give `fft_length`.")
    length = 2 * (int(have) - 1) if fft_length is None and isinstance(have, int) else fft_length
    assert length is not None
    bins, axis = length // 2 + 1, rank_of(half) - 2
    if not isinstance(have, int) or have > bins:
        half = op.Slice(half, [0], [bins], [axis])
    if isinstance(have, int) and have < bins:
        half = pad(op, half, [*[(0, 0)] * axis, (0, bins - have), (0, 0)])
    # Bins beyond the half are the conjugates of those before it, in the reverse order.
    mirrored = op.Slice(half, [(length - 1) // 2], [0], [axis], [-1])
    mirrored = op.Mul(mirrored, np.array([1, -1], dtype_name(half)))
    whole = noted(op.Concat(half, mirrored, axis=axis), [*static_shape(half)[:-2], length, 2])
    return _parts(op, _transformed(op, whole, -2, inverse=1))[0]


@tensor_function()
def extract_sequences(op: Emitter, x: Any, sequence_length: int, sequence_stride: int) -> ir.Value:
    """Return pieces of signals, `(..., pieces, sequence_length)`.

    Args:
        x: signals along the last axis.
        sequence_length: length of a piece.
        sequence_stride: steps from one piece to the next.
    """
    x = tensor(op, x)
    size = static_shape(x)[-1]
    inside = np.arange(sequence_length)
    if isinstance(size, int):
        starts = np.arange(0, size - sequence_length + 1, sequence_stride)
        return op.Gather(x, starts[:, None] + inside, axis=rank_of(x) - 1)
    last = op.Sub(scalar(op, size_of(x, rank_of(x) - 1)), sequence_length - 1)
    starts_then = op.Range(np.array(0, np.int64), last, np.array(sequence_stride, np.int64))
    return op.Gather(x, op.Add(op.Unsqueeze(starts_then, [1]), inside), axis=rank_of(x) - 1)


@tensor_function()
def stft(
    op: Emitter,
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> Pair:
    """Return the Fourier transform of pieces of signals, `(..., pieces, bins)`.

    Args:
        x: signals along the last axis.
        sequence_length: length of a piece.
        sequence_stride: steps from one piece to the next.
        fft_length: length of the transform.
        window: `"hann"`, `"hamming"`, weights of a piece, or None.
        center: whether a piece lies around its place, signals mirrored at their ends.

    Raises:
        TypeError: if x does not hold floating-point numbers.
        ValueError: if the transform is shorter than a piece, or the window is not known.
    """
    if result_type(x) not in {"float32", "float64", "float16"}:
        raise TypeError(
            "Invalid input type. Expected `float32` or `float64`. "
            f"Received: input type={result_type(x)}"
        )
    x = tensor(op, x)
    weights = _window(op, window, sequence_length, fft_length)
    if center:
        around = (fft_length // 2, fft_length // 2)
        x = pad(op, x, [*[(0, 0)] * (rank_of(x) - 1), around], mode="reflect")
    pieces = extract_sequences(op, x, fft_length, sequence_stride)
    return rfft(op, op.Mul(pieces, op.cast(weights, dtype_name(pieces))))


@tensor_function()
def istft(
    op: Emitter,
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> ir.Value:
    """Return the signals whose pieces have a Fourier transform; the inverse of `stft`.

    Args:
        x: pair of real and imaginary parts, `(..., pieces, bins)`.
        sequence_length: see `stft`.
        sequence_stride: see `stft`.
        fft_length: see `stft`.
        length: length of the signals; default: as long as the pieces reach.
        window: see `stft`.
        center: see `stft`.
    """
    pieces = irfft(op, x, fft_length)
    if window is not None:
        weights = op.cast(_window(op, window, sequence_length, fft_length), dtype_name(pieces))
        pieces = op.Mul(pieces, weights)
        ones = op.Add(op.Mul(pieces, 0.0), op.Mul(weights, weights))
        weight = _overlapped(op, ones, sequence_stride, fft_length)
        signal = _overlapped(op, pieces, sequence_stride, fft_length)
        signal = op.Div(signal, op.Where(op.Less(weight, 1e-11), 1.0, weight))
    else:
        signal = _overlapped(op, pieces, sequence_stride, fft_length)
    first = fft_length // 2 if center else 0
    end = -first if center else np.iinfo(np.int64).max
    last = end if length is None else first + length
    return op.Slice(signal, [first], [last], [rank_of(signal) - 1])


def _overlapped(op: Emitter, pieces: ir.Value, stride: int, length: int) -> ir.Value:
    """Pieces laid one after the other, `stride` apart, and added where they overlap."""
    sizes = sizes_of(pieces)
    batch = product(op, sizes[:-2])
    rows = reshaped(op, pieces, [batch, sizes[-2], length]) if len(sizes) != 3 else pieces
    kernel = np.eye(length, dtype=dtype_name(pieces))[:, None]
    made = op.ConvTranspose(op.Transpose(rows, perm=[0, 2, 1]), kernel, strides=[stride])
    result = op.Squeeze(made, [1])
    return reshaped(op, result, [*sizes[:-2], size_of(result, 1)]) if len(sizes) != 3 else result


def _window(op: Emitter, window: Any, sequence_length: int, fft_length: int) -> ir.Value:
    """The weights of a piece, in the middle of the length of a transform."""
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or larger than `sequence_length`. "
            f"Received: sequence_length={sequence_length}, fft_length={fft_length}"
        )
    if isinstance(window, str) and window not in PERIODIC:
        raise ValueError(
            'If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. '
            f"Received: window={window}"
        )
    if isinstance(window, str):
        weights = op.constant(PERIODIC[window](sequence_length).astype(np.float32))
    elif window is None:
        weights = op.constant(np.ones(sequence_length, np.float32))
    else:
        weights = floating(op, window)
    if static_shape(weights) != (sequence_length,):
        raise ValueError(
            "The shape of `window` must be equal to [sequence_length]."
            f"Received: window shape={static_shape(weights)}"
        )
    before = (fft_length - sequence_length) // 2
    return pad(op, weights, [(before, fft_length - sequence_length - before)])


def _complex(op: Emitter, x: Any) -> ir.Value:
    """Real and imaginary parts with a last axis of 2."""
    if not isinstance(x, list | tuple) or len(x) != 2:
        raise ValueError(
            f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}"
        )
    return op.Concat(*(op.Unsqueeze(part, [-1]) for part in floats(op, *x)), axis=-1)


def _parts(op: Emitter, x: ir.Value) -> Pair:
    """Real and imaginary parts of numbers with a last axis of 2."""
    real, imaginary = (op.Gather(x, np.array(i), axis=rank_of(x) - 1) for i in (0, 1))
    return real, imaginary


def _transformed(op: Emitter, x: ir.Value, axis: int, inverse: int = 0) -> ir.Value:
    at = np.array(axis + rank_of(x), np.int64)
    return noted(op.DFT(x, None, at, inverse=inverse), static_shape(x))
