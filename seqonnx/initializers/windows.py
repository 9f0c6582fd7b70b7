"""Windows: factors that fade a frame of a signal out at its ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.float64]


def window(name: str, length: int, periodic: bool) -> Row:
    """Return a window that has a name, as SciPy's `get_window` does.

    Args:
        name: one of `NAMES`.
        length: number of factors.
        periodic: whether the factor that would come next is the first one again, as the Fourier
            transform sees it; else the window is symmetric.

    Raises:
        ValueError: for another name.

    Example:
        >>> window("hann", 4, periodic=True).round(3).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    if name not in NAMES:
        raise ValueError(
            f"Unknown window type. Received: window={name!r}. Expected an array of factors or one "
            f"of {', '.join(sorted(NAMES))}."
        )
    if length <= 1:
        return np.ones(length)
    return NAMES[name](length + 1)[:-1] if periodic else NAMES[name](length)


def _cosines(*weights: float) -> Callable[[int], Row]:
    """A sum of cosines with alternating signs: 0, 1, 2, … periods over the window."""

    def values(length: int) -> Row:
        angle = 2 * np.pi * np.arange(length) / (length - 1)
        signed = [(-1) ** k * weight * np.cos(k * angle) for k, weight in enumerate(weights)]
        return np.asarray(np.sum(signed, axis=0))

    return values


def _place(length: int) -> Row:
    """Where each factor stands: from -1 at one end to 1 at the other."""
    return np.linspace(-1.0, 1.0, length)


def _triangle(length: int) -> Row:
    steps = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))
    return 2 * steps / (length + 1) if length % 2 == 1 else (2 * steps - 1) / length


def _cosine(length: int) -> Row:
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length))


def _parzen(length: int) -> Row:
    far = np.abs(np.arange(length) - (length - 1) / 2) / (length / 2)
    return np.asarray(np.where(far <= 0.5, 1 - 6 * far**2 * (1 - far), 2 * (1 - far) ** 3))


def _bohman(length: int) -> Row:
    far = np.abs(_place(length))
    inside = (1 - far) * np.cos(np.pi * far) + np.sin(np.pi * far) / np.pi
    return np.where(far < 1.0, inside, 0.0)


def _bartlett_hann(length: int) -> Row:
    off = np.abs(np.arange(length) / (length - 1) - 0.5)
    return np.asarray(0.62 - 0.48 * off + 0.38 * np.cos(2 * np.pi * off))


def _tukey(length: int) -> Row:
    """Flat in the middle half; cosines fall over a quarter of the window at either end."""
    far = np.maximum(np.abs(_place(length)) - 0.5, 0.0)
    return np.asarray(0.5 * (1 + np.cos(2 * np.pi * far)))


def _exponential(length: int) -> Row:
    return np.asarray(np.exp(-np.abs(np.arange(length) - (length - 1) / 2)))


NAMES: Final[dict[str, Callable[[int], Row]]] = {
    "barthann": _bartlett_hann,
    "bartlett": lambda length: 1 - np.abs(_place(length)),
    "blackman": _cosines(0.42, 0.5, 0.08),
    "blackmanharris": _cosines(0.35875, 0.48829, 0.14128, 0.01168),
    "bohman": _bohman,
    "boxcar": np.ones,
    "cosine": _cosine,
    "exponential": _exponential,
    "flattop": _cosines(0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
    "hamming": _cosines(0.54, 0.46),
    "hann": _cosines(0.5, 0.5),
    "lanczos": lambda length: np.sinc(_place(length)),
    "nuttall": _cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "parzen": _parzen,
    "rectangular": np.ones,
    "triang": _triangle,
    "tukey": _tukey,
}
"""Windows that need no further argument (Harris, 1978), by the names that SciPy has for them."""


def given_window(factors: Sequence[float] | Any, length: int) -> Row:
    """Return a window given as an array, checked.

    Raises:
        ValueError: if there are not as many factors as the frame has samples.
    """
    values = np.asarray(factors, np.float64)
    if values.shape != (length,):
        raise ValueError(
            "The shape of `window` must be equal to [frame_length]. "
            f"Received: window shape={values.shape}, frame_length={length}"
        )
    return values
