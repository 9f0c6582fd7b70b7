"""Sequences: padded to one length, and windows that slide over a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.data.dataset import Dataset
from seqonnx.data.elements import as_element

Array = npt.NDArray[Any]

_SIDES = ("pre", "post")


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: npt.DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> Array:
    """Return sequences of different lengths as one array.

    Args:
        sequences: lists or arrays, steps first; steps are numbers, text or arrays of one shape.
        maxlen: steps of each in the result; None for those of the longest.
        dtype: dtype of the result; `object` for text.
        padding: `"pre"` fills up before a sequence that is shorter, `"post"` after it.
        truncating: `"pre"` cuts off the first steps of one that is longer, `"post"` the last.
        value: what fills up.

    Returns:
        Array of shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: if a sequence is none, steps have different shapes, `padding` or `truncating`
            is unknown, or `value` is text and `dtype` is not.

    Example:
        >>> pad_sequences([[1], [2, 3, 4]], maxlen=2).tolist()
        [[0, 1], [3, 4]]
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in _SIDES:
            raise ValueError(f'`{name}` must be "pre" or "post". Received: {name}={side!r}')
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ValueError(
            f"`value` is text, which an array of dtype {np.dtype(dtype)} cannot hold. Pass "
            f"`dtype=object`. Received: value={value!r}"
        )
    lengths = [_length(sequence, place) for place, sequence in enumerate(_listed(sequences))]
    longest = max(lengths, default=0) if maxlen is None else int(maxlen)
    first = next((s for s, length in zip(sequences, lengths, strict=True) if length > 0), ())
    shape = np.asarray(first).shape[1:]
    padded = np.full((len(lengths), longest, *shape), value, dtype)
    for place, sequence in enumerate(sequences):
        if lengths[place] == 0 or longest == 0:
            continue
        steps = np.asarray(
            sequence[-longest:] if truncating == "pre" else sequence[:longest], dtype
        )
        if steps.shape[1:] != shape:
            raise ValueError(
                f"The steps of all sequences must have one shape. Received: {steps.shape[1:]} in "
                f"sequence {place}, and {shape} in the first"
            )
        if padding == "pre":
            padded[place, -len(steps) :] = steps
        else:
            padded[place, : len(steps)] = steps
    return padded


def _listed(sequences: Any) -> Any:
    if getattr(sequences, "__len__", None) is None:
        raise ValueError(
            f"`sequences` must be a list of sequences. Received: {sequences!r} (of type "
            f"{type(sequences)})"
        )
    return sequences


def _length(sequence: Any, place: int) -> int:
    try:
        return len(sequence)
    except TypeError as error:
        raise ValueError(
            f"`sequences` must be a list of sequences. Received: {sequence!r} at place {place}"
        ) from error


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Return a data set of the windows that slide over a series.

    Args:
        data: the series, an array with time along its first axis.
        targets: `targets[i]` belongs to the window that starts at `data[i]`; None for none.
        sequence_length: steps in a window.
        sequence_stride: steps between the starts of two windows.
        sampling_rate: steps of the series from one step of a window to the next.
        batch_size: windows in a batch; None for single windows.
        shuffle: whether the windows come in a new random order in each pass.
        seed: of that order; None draws one from `set_random_seed`.
        start_index: first step of the series to use.
        end_index: first step not to use any more.
        format: `"tf"`, or `"grain"`, whose shuffled order stays the same in each pass. Either gives
            a `Dataset`.

    Returns:
        A `Dataset` of batches `(windows, targets)`, or of `windows` without targets; in the
        dtypes of the arrays.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> series = np.arange(10)
        >>> [(x, y)] = timeseries_dataset_from_array(series[:-3], series[3:], 3, sequence_stride=2)
        >>> x.tolist(), y.tolist()
        ([[0, 1, 2], [2, 3, 4], [4, 5, 6]], [3, 5, 7])
    """
    if format not in {"tf", "grain"}:
        raise ValueError(f'`format` must be "tf" or "grain". Received: format={format!r}')
    series = as_element(data)
    _check_range(len(series), start_index, end_index)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < len(series):
            raise ValueError(
                f"`{name}` must be greater than 0 and less than the length of the data, "
                f"{len(series)}. Received: {name}={value}"
            )
    first = start_index or 0
    end = len(series) if end_index is None else end_index
    wanted = None if targets is None else as_element(targets)
    count = end - first - (sequence_length - 1) * sampling_rate
    if wanted is not None:
        count = min(count, len(wanted) - first)
    starts = Dataset.from_tensor_slices(np.arange(first, first + max(count, 0), sequence_stride))
    if shuffle and len(starts) > 0:
        starts = starts.shuffle(len(starts), seed, reshuffle_each_iteration=format == "tf")
    steps = np.arange(sequence_length) * sampling_rate
    if batch_size is not None:
        starts = starts.batch(batch_size)
    windows = starts.map(_cut(series, wanted, steps))
    windows._batch_size = batch_size
    return windows


def _cut(series: Array, targets: Array | None, steps: Array) -> Callable[[Array], Any]:
    """A function that returns the windows that start at some places, with their targets."""

    def cut(starts: Array) -> Any:
        windows = series[starts[..., None] + steps]
        return windows if targets is None else (windows, targets[starts])

    return cut


def _check_range(length: int, start: int | None, end: int | None) -> None:
    """Raise a ValueError unless the steps to use are a part of the series."""
    if start is not None and not 0 <= start < length:
        raise ValueError(
            "`start_index` must be 0 or greater, and less than the length of the data, "
            f"{length}. Received: start_index={start}"
        )
    if end is not None and not (start or 0) < end < length:
        raise ValueError(
            f"`end_index` must be greater than `start_index` and less than the length of the data, "
            f"{length}. Received: start_index={start}, end_index={end}"
        )
