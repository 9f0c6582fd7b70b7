"""How far the weights of two nodes lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.report.diff.graphs import DiffGraph, PairedNode, StoredValue
from seqonnx.report.diff.records import ChangedWeight
from seqonnx.report.tensors import dtype_name

Place = tuple[DiffGraph, PairedNode]


def weight_changes(one: Place, two: Place) -> Iterator[ChangedWeight]:
    """Yield the stored inputs that two nodes share and that differ."""
    others = dict(two[0].stored(two[1]))
    for index, stored in one[0].stored(one[1]):
        other = others.get(index)
        if other is None or stored.digest == other.digest:
            continue
        largest, relative = (None, None)
        if stored.tensor.dims == other.tensor.dims:
            largest, relative = numbers_apart(stored.array, other.array)
        names = one[1].proto.input[index], two[1].proto.input[index]
        yield ChangedWeight(*names, one[1].row.name, _form(stored), _form(other), largest, relative)


def numbers_apart(
    one: npt.NDArray[Any], two: npt.NDArray[Any]
) -> tuple[float | None, float | None]:
    """Return the largest difference of two arrays of one shape, and that relative to the first.

    Equal infinities do not differ, nor do two that are no numbers; any other pair with one of
    these lies infinitely far apart. Complex numbers are compared by the absolute value of their
    difference. Texts have no difference: it is None.
    """
    if one.dtype.kind in "OUS" or two.dtype.kind in "OUS":
        return None, None
    wide = np.complex128 if "c" in {one.dtype.kind, two.dtype.kind} else np.float64
    left, right = one.astype(wide), two.astype(wide)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where(same, 0.0, np.abs(left - right))
    gap = np.where(np.isnan(gap), np.inf, gap)
    largest = float(np.max(gap, initial=0.0))
    scale = float(np.max(np.abs(left), initial=0.0, where=np.isfinite(left)))
    return largest, largest / scale if scale > 0 else None


def _form(stored: StoredValue) -> str:
    """Write dtype and sizes."""
    sizes = ", ".join(map(str, stored.tensor.dims))
    return f"{dtype_name(stored.tensor.data_type)} ({sizes})"
