"""STFT: kernels of a convolution that computes the Fourier transform of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.initializers.base import Array, Initializer, as_dtype
from seqonnx.initializers.windows import given_window, window


@register("initializer", "stft", "STFTInitializer")
class STFT(Initializer):
    """cos(-2 pi t f / n), or sin, times a window: a kernel of shape (frame, 1, n / 2 + 1).

    Args:
        side: `"real"` for the cosines, `"imag"` for the sines.
        window: name of a window such as `"hann"`, an array with its factors, or None for none.
        scaling: what the window is divided by: `"density"` its Euclidean norm, `"spectrum"` the
            sum of its sizes, None nothing.
        periodic: whether a named window is periodic (else it is symmetric).

    Raises:
        ValueError: if an argument is none of these.

    Example:
        >>> STFT("real", None)((4, 1, 3)).round(3)[:, 0, 1].tolist()
        [1.0, 0.0, -1.0, -0.0]
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in {"real", "imag"}:
            raise ValueError(f"side should be 'real' or 'imag', not {side}")
        check_window(window)
        check_scaling(scaling)
        self.side = side
        self.window = plain_value(window)
        self.scaling = scaling
        self.periodic = bool(periodic)

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Return the kernel.

        Raises:
            ValueError: if the shape is not (frame length, 1, number of frequencies), or a window
                given as an array has another length than the frame.
        """
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(
                "A kernel of the Fourier transform has the shape (frame length, 1, number of "
                f"frequencies). Received: shape={tuple(shape)}"
            )
        frame, _, frequencies = shape
        whole = max(2 * (frequencies - 1), 1)
        angle = -2 * np.pi * np.outer(np.arange(frame), np.arange(frequencies)) / whole
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            factors = self._factors(frame)
            kernel = kernel * factors[:, None]
        return as_dtype(kernel[:, None, :], dtype)

    def _factors(self, frame: int) -> Array:
        """The window, scaled."""
        if isinstance(self.window, str):
            factors = window(self.window, frame, self.periodic)
        else:
            factors = given_window(self.window, frame)
        total = {"density": np.linalg.norm(factors), "spectrum": np.sum(np.abs(factors)), None: 1.0}
        return np.asarray(factors / total[self.scaling])


def check_window(name: Any) -> None:
    """Raise a ValueError for a name that no window has."""
    if isinstance(name, str):
        window(name, 1, periodic=False)


def check_scaling(scaling: str | None) -> None:
    """Raise a ValueError for a scaling that is not known."""
    if scaling not in {None, "density", "spectrum"}:
        raise ValueError(
            "Scaling is invalid, it must be `None`, 'density' or 'spectrum'. "
            f"Received scaling={scaling}"
        )
