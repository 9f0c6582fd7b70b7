"""Calibration data: inputs that show the ranges of activations, and how far a file has drifted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from seqonnx.graph.apart import Arrays, SessionModel, for_session
from seqonnx.runtime import CPU, Session

_BATCH: Final = 32

CalibrationData = Any
"""An array with the batch first; for several inputs a list of them, or a dict by name."""


@dataclass(frozen=True)
class Drift:
    """How far the outputs of a file are from those of the model, on the calibration data.

    Args:
        samples: number of inputs.
        largest: the largest difference of an element.
        mean: the mean difference.
        span: the difference of the largest and the smallest element of the model's outputs.
        agreement: share of the rows whose largest element is at the same place; None for outputs
            of one number.
    """

    samples: int
    largest: float
    mean: float
    span: float
    agreement: float | None

    def __str__(self) -> str:
        same = "" if self.agreement is None else f", same class for {self.agreement:.2%}"
        return (
            f"on {self.samples} calibration samples outputs differ by {self.mean:.2e} on average "
            f"and {self.largest:.2e} at most, of a span of {self.span:.2e}{same}"
        )


def calibration_feeds(model: onnx.ModelProto, data: CalibrationData) -> dict[str, npt.NDArray[Any]]:
    """Return calibration data as arrays by the names of a model's inputs.

    Args:
        model: the model.
        data: see `CalibrationData`.

    Raises:
        ValueError: if there is not one array for each input, or one has no rows or another shape.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    names = [value.name for value in inputs]
    if isinstance(data, Mapping):
        found = dict(data)
    else:
        several = isinstance(data, list | tuple) and len(names) > 1
        parts = list(data) if several else [data]
        found = dict(zip(names, parts, strict=False)) if len(parts) == len(names) else {}
    if set(found) != set(names):
        received = sorted(found) if isinstance(data, Mapping) else type(data).__name__
        raise ValueError(
            f"`calibration_data` must hold an array for each input, {names}: one array for one "
            f"input, a list in this order, or a dict by name. Received: {received}"
        )
    return {value.name: _fitting(value, found[value.name]) for value in inputs}


def _fitting(value: onnx.ValueInfoProto, data: Any) -> npt.NDArray[Any]:
    """Data as an array of the dtype and shape of an input."""
    kind = value.type.tensor_type
    array = np.asarray(data)
    sizes = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    fits = array.ndim == len(sizes) and all(
        want is None or want == have for want, have in zip(sizes[1:], array.shape[1:], strict=True)
    )
    if not fits or len(array) == 0:
        raise ValueError(
            f"`calibration_data` of input '{value.name}' must have the shape "
            f"{(None, *sizes[1:])}, with at least one row. Received: shape={array.shape}"
        )
    return array.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type), copy=False)


def measured_drift(
    model: onnx.ModelProto, arrays: Arrays, after: Path, data: CalibrationData | None
) -> Drift | None:
    """Return how far a file is from its model on calibration data; None where there is none.

    Args:
        model: the model as it was.
        arrays: the weights that are not in it, by name.
        after: the file.
        data: see `CalibrationData`.
    """
    if data is None:
        return None
    feeds = calibration_feeds(model, data)
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return drift_of(*(_outputs(m, feeds) for m in (for_session(copied, arrays), after)))


def _outputs(
    model: SessionModel | Path, feeds: Mapping[str, npt.NDArray[Any]]
) -> list[npt.NDArray[Any]]:
    """The outputs of a model, for all rows."""
    session = Session(model, CPU, name="calibration")
    results = [session.run(batch) for batch in batches(feeds)]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]


def batches(feeds: Mapping[str, npt.NDArray[Any]]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Return inputs in batches.

    Args:
        feeds: for each input an array with the batch first.
    """
    count = min(len(array) for array in feeds.values())
    for start in range(0, count, _BATCH):
        yield {name: array[start : start + _BATCH] for name, array in feeds.items()}


def drift_of(outputs: Sequence[npt.NDArray[Any]], changed: Sequence[npt.NDArray[Any]]) -> Drift:
    """Return how far outputs are from those that they should be.

    Args:
        outputs: of the model, one array for each output with the batch first.
        changed: of the file.

    Example:
        >>> drift_of([np.array([[1.0, 0.0]])], [np.array([[0.5, 0.0]])]).largest
        0.5
    """
    pairs = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64))
        for a, b in zip(outputs, changed, strict=True)
    ]
    differences = np.concatenate([np.abs(a - b).reshape(-1) for a, b in pairs])
    first, second = pairs[0]
    classes = first.ndim > 1 and first.shape[-1] > 1
    agreement = float((first.argmax(-1) == second.argmax(-1)).mean()) if classes else None
    return Drift(
        samples=len(first),
        largest=float(differences.max()),
        mean=float(differences.mean()),
        span=float(max(a.max() for a, _ in pairs) - min(a.min() for a, _ in pairs)),
        agreement=agreement,
    )
