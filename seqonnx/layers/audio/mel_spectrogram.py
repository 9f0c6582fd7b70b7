"""MelSpectrogram: the power of a signal over time, in bands that are even to the ear."""

from __future__ import annotations

import math
from typing import Any, Final, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.initializers.windows import given_window, window
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting

_DECIBELS: Final = 10.0 / math.log(10.0)
"""Decibels of a factor of e."""


@register("layer")
class MelSpectrogram(Layer):
    """Bands of the mel scale over time, in decibels: (batch, time) to (batch, bands, frames).

    The signal is reflected at both ends by half a frame; each frame's Fourier transform gives
    powers, which triangles spread evenly over mel(f) = 1127 ln(1 + f / 700) add up to bands.

    Args:
        fft_length: points of the transform.
        sequence_stride: samples from one frame to the next.
        sequence_length: samples of a frame; default `fft_length`. Zeros are added on both sides.
        window: `"hann"` or `"hamming"` (both periodic), an array of factors, or None.
        sampling_rate: samples in a second.
        num_mel_bins: number of bands.
        min_freq: lowest frequency of the bands, in hertz.
        max_freq: highest frequency; default half the sampling rate.
        power_to_db: whether the result is 10 log10(power / `ref_power`).
        top_db: how far decibels may lie below the largest of the whole batch.
        mag_exp: exponent of the magnitude: 2 for power, 1 for magnitude.
        min_power: least power before the logarithm.
        ref_power: power of 0 decibels.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the transform has fewer points than a frame has samples, or the window is
            not known.

    Example:
        >>> MelSpectrogram(64, 32, num_mel_bins=8)(np.zeros((1, 128))).shape
        (1, 8, 5)
    """

    fft_length: Setting[int] = Setting()
    sequence_stride: Setting[int] = Setting()
    sequence_length: Setting[int] = Setting()
    sampling_rate: Setting[float] = Setting()
    num_mel_bins: Setting[int] = Setting()
    min_freq: Setting[float] = Setting()
    max_freq: Setting[float] = Setting()
    power_to_db: Setting[bool] = Setting(bool)
    top_db: Setting[float] = Setting()
    mag_exp: Setting[float] = Setting()
    min_power: Setting[float] = Setting()
    ref_power: Setting[float] = Setting()

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: float = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.fft_length < self.sequence_length:
            raise ValueError(
                "`fft_length` must be greater than or equal to `sequence_length`. Received: "
                f"`sequence_length`={self.sequence_length}, `fft_length`={self.fft_length}."
            )
        self.window = plain_value(window)
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        self._factors()

    @property
    def _working_dtype(self) -> str:
        """At least float32: powers of 16 bits overflow or vanish."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the transform, the sum over each band, and the logarithm."""
        x = op.cast(x, self._working_dtype)
        axes = len(static_shape(x))
        if axes not in {1, 2}:
            raise ValueError(
                f"Layer '{self.name}' takes one signal, (time,), or a batch of them, (batch, "
                f"time). Received: input shape {static_shape(x)}. Put the layer into "
                "TimeDistributed, or reshape channels into the batch."
            )
        signals = x if axes == 2 else op.Unsqueeze(x, [0])
        bands = self._scaled(op, self._bands(op, self._power(op, signals)))
        y = op.Transpose(bands, perm=[0, 2, 1])
        return op.cast(y if axes == 2 else op.Squeeze(y, [0]), self.compute_dtype)

    def _power(self, op: Emitter, x: ir.Value) -> ir.Value:
        """(signals, time) to (signals, frames, frequencies), raised to the exponent."""
        half = self.fft_length // 2
        wide = op.Pad(x, np.array([0, half, 0, half]), mode="reflect")
        factors = self._factors().astype(dtype_name(x))
        parts = op.STFT(
            op.Unsqueeze(wide, [2]),
            np.asarray(self.sequence_stride),
            factors,
            np.asarray(self.fft_length),
            onesided=1,
        )
        if parts.shape is None:  # ONNX infers no shape for signals of a length that is not known
            parts.shape = ir.Shape([static_shape(x)[0], None, half + 1, 2])
        power = op.ReduceSum(op.Mul(parts, parts), [3], keepdims=0)
        # The magnitude is the root of the power.
        if self.mag_exp == 2.0:
            return power
        return op.Sqrt(power) if self.mag_exp == 1.0 else op.Pow(power, self.mag_exp / 2)

    def _factors(self) -> npt.NDArray[Any]:
        """The window, with zeros on both sides where a frame is shorter than the transform."""
        length = self.sequence_length
        if self.window is None:
            factors = np.ones(length)
        elif isinstance(self.window, str):
            if self.window not in {"hann", "hamming"}:
                raise ValueError(
                    'If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. '
                    f"Received: window={self.window}"
                )
            factors = window(self.window, length, periodic=True)
        else:
            factors = given_window(self.window, length)
        missing = self.fft_length - length
        return np.pad(factors, (missing // 2, missing - missing // 2))

    def _bands(self, op: Emitter, power: ir.Value) -> ir.Value:
        """The sum over each band: (signals, frames, frequencies) to (signals, frames, bands)."""
        triangles = mel_triangles(
            self.num_mel_bins,
            self.fft_length // 2 + 1,
            self.sampling_rate,
            self.min_freq,
            self.max_freq,
        )
        return op.MatMul(power, triangles.astype(dtype_name(power)))

    def _scaled(self, op: Emitter, bands: ir.Value) -> ir.Value:
        """In decibels, if these are wanted."""
        if not self.power_to_db:
            return bands
        reference = _DECIBELS * math.log(max(abs(self.ref_power), self.min_power))
        level = op.Mul(op.Log(op.Max(bands, self.min_power)), _DECIBELS)
        level = op.Sub(level, reference)
        return op.Max(level, op.Sub(op.ReduceMax(level, keepdims=0), self.top_db))


def mel_triangles(
    bands: int, frequencies: int, sampling_rate: float, lowest: float, highest: float
) -> npt.NDArray[np.float64]:
    """Return the weights of frequencies in bands that are triangles on the mel scale.

    Args:
        bands: number of bands.
        frequencies: number of frequencies, from 0 to half the sampling rate; 0 is in no band.
        sampling_rate: samples in a second.
        lowest: where the lowest band begins, in hertz.
        highest: where the highest band ends, in hertz.

    Returns:
        Weights of shape (frequencies, bands), 1 at the peaks.

    Example:
        >>> mel_triangles(1, 3, 8.0, 0.0, 4.0).round(3).tolist()
        [[0.0], [0.999], [0.0]]
    """
    place = _mel(np.linspace(0.0, sampling_rate / 2, frequencies))[1:, None]
    edges = np.linspace(_mel(lowest), _mel(highest), bands + 2)
    below, peak, above = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((place - below) / (peak - below), (above - place) / (above - peak))
    return np.pad(np.maximum(slopes, 0.0), ((1, 0), (0, 0)))


def _mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A frequency on the mel scale (O'Shaughnessy, 1987)."""
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0))
