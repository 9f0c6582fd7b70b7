"""Variables: named arrays that live longer than a graph (weights, slots, accumulators).

A graph refers to a variable as an initializer (its value baked in) or as an input (its value
given at every run). While a model trains, the newest value lies on the device; `Home` is the way
back to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

_changes = itertools.count(1)
_last_change = 0
_last_setting = 0


def last_change() -> int:
    """Number of the newest change of any variable: equal numbers mean that nothing changed."""
    return _last_change


def note_change() -> int:
    """Record that a variable changed, here or on a device; return the number of the change."""
    global _last_change  # noqa: PLW0603 - one counter for the process is the point
    _last_change = next(_changes)
    return _last_change


def last_setting() -> int:
    """Number of the newest change of what a layer emits: graphs made before it are old."""
    return _last_setting


def note_setting() -> int:
    """Record that a layer will emit other nodes; return the number of the change."""
    global _last_setting  # noqa: PLW0603 - one counter for the process is the point
    _last_setting = note_change()
    return _last_setting


class Home(Protocol):
    """Keeps the newest value of variables somewhere else, such as a device."""

    def fetch(self) -> None:
        """Write the newest values into the variables that live here (`Variable.receive`)."""

    @property
    def changed_at(self) -> int:
        """Number of the newest change made here (see `last_change`)."""


class Variable:
    """A named array, shown in the Keras layout and stored in the ONNX layout.

    Args:
        value: initial value in the Keras layout, such as `(h, w, in, out)` for a kernel.
        name: last part of the path, such as `"kernel"`.
        trainable: whether training may change it (the layer's own flag also counts).
        layout: axes that turn the Keras layout into the ONNX layout (as `numpy.transpose`
            takes them), or None where both are the same.
        path: full path, such as `"sequential/dense/kernel"`; default `name`.

    Example:
        >>> kernel = Variable(np.zeros((3, 3, 1, 8), np.float32), "kernel", layout=(3, 2, 0, 1))
        >>> kernel.shape, kernel.stored().shape
        ((3, 3, 1, 8), (8, 1, 3, 3))
    """

    def __init__(
        self,
        value: npt.NDArray[Any],
        name: str,
        *,
        trainable: bool = True,
        layout: Sequence[int] | None = None,
        path: str | None = None,
    ) -> None:
        self.name = name
        self.path = name if path is None else path
        self.trainable = trainable
        self._to_stored = None if layout is None else tuple(layout)
        self._to_shown = None if layout is None else tuple(int(i) for i in np.argsort(layout))
        self._shape: tuple[int, ...] = value.shape
        self._array = self._store(value)
        self._home: Home | None = None
        self._assigned_at = note_change()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the Keras layout."""
        return self._shape

    @property
    def dtype(self) -> str:
        """Name of the element type, such as `"float32"`."""
        return str(self._array.dtype.name)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self._array.size)

    @property
    def nbytes(self) -> int:
        """Number of bytes of the value."""
        return int(self._array.nbytes)

    @property
    def changed_at(self) -> int:
        """Number of the newest change of this variable, here or at its home."""
        return max(self._assigned_at, 0 if self._home is None else self._home.changed_at)

    @property
    def assigned_at(self) -> int:
        """Number of the newest change made by `assign`."""
        return self._assigned_at

    @property
    def home(self) -> Home | None:
        """Where the newest value is kept; None: here."""
        return self._home

    @property
    def layout(self) -> tuple[int, ...] | None:
        """Axes that turn the Keras layout into the stored one; None where they are the same."""
        return self._to_stored

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value in the Keras layout."""
        stored = self.stored()
        shown = stored if self._to_shown is None else stored.transpose(self._to_shown)
        return np.array(shown, order="C")

    def stored(self) -> npt.NDArray[Any]:
        """Return the value in the ONNX layout; do not write into it."""
        if self._home is not None:
            self._home.fetch()
        return self._array

    def assign(self, value: npt.ArrayLike) -> None:
        """Replace the value.

        Args:
            value: array in the Keras layout with the variable's shape; cast to its dtype.

        Raises:
            ValueError: if the shape differs.
        """
        array = np.asarray(value)
        if array.shape != self._shape:
            raise ValueError(
                f"The shape of the target variable and the shape of the target value must match. "
                f"Variable {self.path} has shape {self._shape}. Received: value.shape={array.shape}"
            )
        self.assign_stored(self._store(array.astype(self._array.dtype)))

    def assign_stored(self, stored: npt.NDArray[Any]) -> None:
        """Replace the value by one in the ONNX layout, of the right shape and dtype."""
        if self._home is not None:
            self._home.fetch()
        self._array = stored
        self._assigned_at = note_change()

    def receive(self, stored: npt.NDArray[Any]) -> None:
        """Take over the value that lies at the home, in the ONNX layout."""
        self._array = stored

    def move_to(self, home: Home | None) -> None:
        """Say where the newest value is kept from now on (None: here)."""
        if self._home is not None and self._home is not home:
            self._home.fetch()
            self._assigned_at = max(self._assigned_at, self._home.changed_at)
        self._home = home

    def _store(self, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shown = value if self._to_stored is None else value.transpose(self._to_stored)
        return np.array(shown, order="C")

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        value = self.numpy()
        return value if dtype is None else value.astype(dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"
