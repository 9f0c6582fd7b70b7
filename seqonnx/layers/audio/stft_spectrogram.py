"""STFTSpectrogram: the Fourier transform of frames of a signal, as a convolution that can learn."""

from __future__ import annotations

import math
import warnings
from typing import Any, Final, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable, dtype_name, static_shape
from seqonnx.initializers.fourier import STFT, check_scaling, check_window
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import LAST, check_data_format
from seqonnx.ops.window import padding_attributes
from seqonnx.symbolic import Shape

_MODES: Final = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")

_EPSILON: Final = 1e-7
"""Least power, and least magnitude before the logarithm."""


@register("layer")
class STFTSpectrogram(Layer):
    """The short-time Fourier transform of each channel.

    (batch, time, channels) become (batch, frames, channels * frequencies).
    The kernels of the convolution are weights that start at cosines and sines (see
    `initializers.STFT`); `trainable=False` keeps them there.

    Args:
        mode: `"log"` of the magnitude, `"magnitude"`, `"psd"` (power, twice that of the frequencies
            that stand for two), `"real"`, `"imag"`, `"angle"`, or `"stft"` (real parts, then
            imaginary ones).
        frame_length: samples of a frame.
        frame_step: samples from one frame to the next; default half a frame.
        fft_length: points of the transform, at least a frame; default the next power of two.
        window: name of a window, an array with `frame_length` factors, or None.
        periodic: whether a named window is periodic (else it is symmetric).
        scaling: `"density"`, `"spectrum"` or None, see `initializers.STFT`.
        padding: `"valid"` (whole frames) or `"same"` (ceil(time / frame_step) frames).
        expand_dims: whether frequencies and channels stand on axes of their own: (batch, frames,
            frequencies, channels).
        data_format: `"channels_last"` (default) or `"channels_first"`: (batch, channels, time) to
            (batch, channels * frequencies, frames).
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> STFTSpectrogram("magnitude", 4, window=None, scaling=None)(
        ...     np.ones((1, 4, 1))
        ... ).round(3).tolist()
        [[[4.0, 0.0, 0.0]]]
    """

    mode: Setting[str] = Setting(until_built=True)
    frame_length: Setting[int] = Setting(until_built=True)
    frame_step: Setting[int | None] = Setting(until_built=True)
    fft_length: Setting[int | None] = Setting(until_built=True)
    padding: Setting[str] = Setting(until_built=True)
    expand_dims: Setting[bool] = Setting(bool)
    data_format: Setting[str] = Setting(check_data_format, until_built=True)

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        _check_frames(frame_length, frame_step, fft_length)
        if mode not in _MODES:
            raise ValueError(
                "Output mode is invalid, it must be one of "
                f"{', '.join(_MODES)}. Received: mode={mode}"
            )
        check_scaling(scaling)
        if padding not in {"valid", "same"}:
            raise ValueError(
                f"Padding is invalid, it should be 'valid', 'same'. Received: padding={padding}"
            )
        check_window(window)
        super().__init__(**kwargs)
        self.mode = mode
        self.frame_length = frame_length
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = plain_value(window)
        self.periodic = bool(periodic)
        self.scaling = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = data_format
        self.input_spec = InputSpec(ndim=3)
        self.real_kernel: Variable | None = None
        self.imag_kernel: Variable | None = None

    @property
    def _working_dtype(self) -> str:
        """At least float32: powers of 16 bits overflow or vanish."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape: Shape) -> None:
        """Declare the kernels."""
        if self.mode != "imag":
            self.real_kernel = self._kernel("real")
        if self.mode != "real":
            self.imag_kernel = self._kernel("imag")

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a convolution for each part, and what the mode makes of them."""
        if x.dtype is None or not x.dtype.is_floating_point():
            raise TypeError(
                "Invalid input type. Expected `float16`, `float32` or `float64`. "
                f"Received: input type={dtype_name(x)}"
            )
        channels = static_shape(x)[-1 if self.data_format == LAST else 1]
        if not isinstance(channels, int):
            raise ValueError(
                f"Layer '{self.name}' needs to know the number of channels. "
                f"Received an input of shape {static_shape(x)}."
            )
        signals = op.Transpose(x, perm=[0, 2, 1]) if self.data_format == LAST else x
        if channels != 1:
            signals = op.Reshape(signals, [-1, 1, 0])
        parts = [
            self._frames(op, signals, kernel)
            for kernel in (self.real_kernel, self.imag_kernel)
            if kernel is not None
        ]
        y = self._combined(op, parts)
        return self._arranged(op, y, channels)

    def _kernel(self, side: str) -> Variable:
        """Declare one of the kernels."""
        return self.add_weight(
            (self.frame_length, 1, self._points // 2 + 1),
            STFT(side, self.window, self.scaling, self.periodic),
            name=f"{side}_kernel",
            layout=(2, 1, 0),
        )

    @property
    def _points(self) -> int:
        """Points of the transform."""
        return self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))

    def _frames(self, op: Emitter, signals: ir.Value, kernel: Variable) -> ir.Value:
        """One part of the transform: (signals, 1, time) to (signals, frequencies, frames)."""
        step = self.frame_step or self.frame_length // 2
        time = static_shape(signals)[2]
        pads = padding_attributes(self.padding, [time], [self.frame_length], [step], [1])
        return op.Conv(signals, kernel, strides=[step], **pads)

    def _combined(self, op: Emitter, parts: list[ir.Value]) -> ir.Value:
        """The parts as the mode wants them."""
        if len(parts) == 1:
            return parts[0]
        real, imaginary = parts
        if self.mode == "stft":
            return op.Concat(real, imaginary, axis=1)
        if self.mode == "angle":
            return _angle(op, imaginary, real)
        power = op.Add(op.Mul(real, real), op.Mul(imaginary, imaginary))
        if self.mode == "psd":
            twice = np.full((self._points // 2 + 1, 1), 2.0)
            twice[[0, -1]] = 1.0
            return op.Mul(power, twice.astype(dtype_name(power)))
        magnitude = op.Sqrt(op.Max(power, _EPSILON))
        return magnitude if self.mode == "magnitude" else op.Log(op.Max(magnitude, _EPSILON))

    def _arranged(self, op: Emitter, y: ir.Value, channels: int) -> ir.Value:
        """(signals, frequencies, frames) with channels and axes as they are wanted."""
        last = self.data_format == LAST
        _, frequencies, frames = static_shape(y)
        assert isinstance(frequencies, int)
        if not self.expand_dims:
            y = y if channels == 1 else op.Reshape(y, [-1, channels * frequencies, 0])
            return op.Transpose(y, perm=[0, 2, 1]) if last else y
        if channels == 1:
            y = op.Unsqueeze(y, [1])
        else:
            known = frames if isinstance(frames, int) else -1
            y = op.Reshape(y, [-1, channels * frequencies, 0])
            y = op.Reshape(y, [0, channels, frequencies, known])
        return op.Transpose(y, perm=[0, 3, 2, 1] if last else [0, 1, 3, 2])


def _check_frames(length: int, step: int | None, points: int | None) -> None:
    """Raise a ValueError for frames that cannot be."""
    if step is not None and not 1 <= step <= length:
        raise ValueError(
            "`frame_step` should be a positive integer not greater than `frame_length`. "
            f"Received frame_step={step}, frame_length={length}"
        )
    if points is not None and points < length:
        raise ValueError(
            "`fft_length` should be not less than `frame_length`. "
            f"Received fft_length={points}, frame_length={length}"
        )
    if points is not None and (points & -points) != points:
        warnings.warn(
            f"`fft_length` is recommended to be a power of two. Received fft_length={points}",
            UserWarning,
            stacklevel=3,
        )


def _angle(op: Emitter, y: ir.Value, x: ir.Value) -> ir.Value:
    """The angle of (x, y), from -pi to pi, by the arctangent of the smaller over the larger."""
    steep = op.Greater(op.Abs(y), op.Abs(x))
    over, under = op.Where(steep, x, y), op.Where(steep, y, x)
    nothing = op.Equal(under, 0.0)
    flat = op.Atan(op.Div(op.Where(nothing, 0.0, over), op.Where(nothing, 1.0, under)))
    half_turn = np.asarray(np.pi, dtype_name(x))
    side = op.Where(op.Less(y, 0.0), -half_turn, half_turn)
    behind = op.Add(flat, op.Where(op.Less(x, 0.0), side, 0.0))
    return op.Where(steep, op.Sub(op.Mul(side, 0.5), flat), behind)
