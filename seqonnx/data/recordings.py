"""Recordings: WAV files as arrays, at the rate and of the length that a network wants."""

from __future__ import annotations

import wave
from math import gcd
from typing import Final

import numpy as np

_ZEROS: Final = 16
"""Zero crossings of the filter on each side: some 80 dB between what passes and what does not."""

_KAISER: Final = 8.0
"""Shape of the window of the filter."""


def read_wav(path: str) -> tuple[np.ndarray, int]:
    """Read a WAV file with integers of 8, 16, 24 or 32 bits.

    Args:
        path: the file.

    Returns:
        float32 array of shape (samples, channels) with values from -1 to 1, and the samples per
        second.

    Raises:
        ValueError: if it is no such file; names it.
        OSError: if it cannot be read.
    """
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"{path} is not a WAV file of integers (PCM): {error or 'it ends too early'}. Convert "
            "it, for example to integers of 16 bits"
        ) from error
    whole = len(content) - len(content) % (width * channels)
    samples = _integers(content[:whole], width) / np.float32(1 << (8 * width - 1))
    return samples.astype(np.float32).reshape(-1, channels), rate


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Change the samples per second, without what the new rate cannot carry.

    Each new sample is a sum of old ones, weighted by a sinc under a Kaiser window (Smith, "Digital
    audio resampling", 2002).

    Args:
        samples: array of shape (samples, channels).
        rate: samples per second.
        new_rate: samples per second of the result.

    Returns:
        float32 array of shape (ceil(samples * new_rate / rate), channels).

    Example:
        >>> resampled(np.ones((8, 1)), 4, 2).shape
        (4, 1)
    """
    if rate == new_rate or len(samples) == 0:
        return samples.astype(np.float32)
    up, down = new_rate // gcd(rate, new_rate), rate // gcd(rate, new_rate)
    cutoff = min(1.0, up / down)
    reach = int(np.ceil(_ZEROS / cutoff))
    phases = np.arange(up) * down % up / up  # fractions between old samples repeat
    distances = np.arange(-reach + 1, reach + 1) - phases[:, None]
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (distances / reach) ** 2, 0)))
    weights = np.sinc(distances * cutoff) * window
    weights /= weights.sum(axis=1, keepdims=True)
    count = -(-len(samples) * up // down)
    padded = np.pad(samples, ((reach - 1, reach + 1), (0, 0)))
    result = np.empty((count, samples.shape[1]), np.float32)
    for phase in range(min(up, count)):
        starts = np.arange(phase, count, up) * down // up
        taps = padded[starts[:, None] + np.arange(2 * reach)]
        result[phase::up] = np.einsum("ntc,t->nc", taps, weights[phase])
    return result


def of_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut an array after `length` rows, or fill it with zeros."""
    cut = samples[:length]
    return np.pad(cut, ((0, length - len(cut)), *((0, 0),) * (samples.ndim - 1)))


def _integers(content: bytes, width: int) -> np.ndarray:
    """Little-endian integers; of 8 bits they have no sign."""
    if width == 1:
        return np.frombuffer(content, np.uint8).astype(np.int16) - 128
    if width == 3:
        parts = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)) >> 8
    return np.frombuffer(content, f"<i{width}")
