"""Trying graphs out: inputs that are made up, and how far results lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx.runtime.arrays import TensorSpec

_BATCH: Final = 2
_OPEN_SIZES: Final = (8, 32)
"""Sizes to try where a file leaves them open."""
_DRAWN: Final = frozenset({"float16", "bfloat16", "float32", "float64"})
_TOLERANCE: Final = {"float64": 1e-6, "float32": 1e-4}
_COARSE: Final = 2e-2
"""How far results may lie apart, in parts of the largest of them; the second for 16 bits."""


def made_up_inputs(inputs: tuple[TensorSpec, ...]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Make up inputs: small random numbers, and the integers 0 and 1.

    Args:
        inputs: what a model takes.

    Returns:
        Arrays by name, for several sizes of what the model leaves open.

    Raises:
        ValueError: if an input is no tensor, or of a dtype that NumPy lacks.
    """
    for size in _OPEN_SIZES:
        rng = np.random.default_rng(0)
        yield {spec.name: _made_up(spec, size, rng) for spec in inputs}


def _made_up(spec: TensorSpec, open_size: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    shape = [
        size if isinstance(size, int) else (_BATCH if axis == 0 else open_size)
        for axis, size in enumerate(spec.shape or ())
    ]
    if spec.dtype == "string":
        return np.full(shape, "a", object)
    if spec.dtype == "bool":
        return rng.random(shape) < 0.5
    if spec.dtype.startswith(("int", "uint")):
        return rng.integers(0, 2, shape).astype(spec.dtype)
    if spec.dtype not in _DRAWN:
        raise ValueError(
            f"Input '{spec.name}' is of type {spec.dtype}, and no such value can be made up."
        )
    made: npt.NDArray[Any] = rng.normal(size=shape).astype(np.float32)
    return made if spec.dtype == "bfloat16" else made.astype(spec.dtype)


def apart(
    right: npt.NDArray[Any], found: npt.NDArray[Any], *, coarse: bool = False
) -> tuple[float, bool]:
    """Return the largest difference of two arrays, and whether rounding explains it.

    Args:
        right: the right array.
        found: the one to judge; of another shape or dtype it lies infinitely far apart.
        coarse: whether they were computed in few bits.
    """
    if right.shape != found.shape or right.dtype != found.dtype:
        return float("inf"), False
    if right.dtype.kind in "OUSb":
        same = bool(np.array_equal(right, found))
        return (0.0 if same else 1.0), same
    a, b = right.astype(np.float64), found.astype(np.float64)
    gap = np.abs(np.where(a == b, 0.0, a - b))
    gap = np.where(np.isnan(a) & np.isnan(b), 0.0, gap)
    largest = float(np.max(gap, initial=0.0))
    scale = max(1.0, float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a))))
    exact = right.dtype.kind in "iu"
    fine = _COARSE if coarse else _TOLERANCE.get(right.dtype.name, _COARSE)
    allowed = 0.0 if exact else fine * scale
    return largest, bool(largest <= allowed)
