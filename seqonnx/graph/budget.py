"""Memory for the weights that a file asks for, held against what the file holds.

A configuration of a few bytes can ask for a layer of 10**12 units. While a model is made from a
file, every weight is claimed here before it is made.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

SLACK = 1 << 26
"""Bytes that are always allowed: what they cost is not worth a refusal."""


@dataclass
class _Budget:
    """The bytes that a file holds, and those that have been claimed."""

    held: int
    allowed: int
    claimed: int = 0


_current: ContextVar[_Budget | None] = ContextVar("_current", default=None)


@contextlib.contextmanager
def weights_at_most(held: int, *, factor: int = 4) -> Iterator[None]:
    """Allow weights of some bytes inside, and no more.

    Args:
        held: bytes of the weights that the file holds.
        factor: how many times as much the weights may take: the file may hold them in a smaller
            dtype, or compressed.

    Raises:
        ValueError: inside, from `claim`.

    Example:
        >>> with weights_at_most(1000):
        ...     claim((10**6, 10**6), "float32", "dense/kernel")
        Traceback (most recent call last):
        ValueError: 'dense/kernel' of shape (1000000, 1000000) would take ...
    """
    token = _current.set(_Budget(held, SLACK + factor * held))
    try:
        yield
    finally:
        _current.reset(token)


def held_by_file() -> int | None:
    """Bytes of the weights that the file being loaded holds; None if none is being loaded."""
    budget = _current.get()
    return None if budget is None else budget.held


def claim(shape: Sequence[int], dtype: str, path: str) -> None:
    """Ask for the memory of an array; unless a file is being loaded there is no limit.

    Args:
        shape: its shape.
        dtype: its dtype.
        path: its path, for the error.

    Raises:
        ValueError: if the file holds far less than all that was claimed would take.
    """
    budget = _current.get()
    if budget is None:
        return
    size = math.prod(shape) * np.dtype(dtype).itemsize
    budget.claimed += size
    if budget.claimed > budget.allowed:
        raise ValueError(
            f"'{path}' of shape {tuple(shape)} would take {size:,} bytes, but all weights that the "
            f"file holds take {budget.held:,}."
        )
