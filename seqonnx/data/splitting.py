"""A data set in two parts: one to train on, one to measure with."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqonnx import config
from seqonnx.data.dataset import Dataset
from seqonnx.data.elements import as_element, unwritable

Size = float | None


def split_dataset(
    dataset: Any,
    left_size: Size = None,
    right_size: Size = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Return the first and the last elements of a data set, as two data sets.

    All elements are read once and kept in memory.

    Args:
        dataset: a `Dataset` (one of batches is split by samples, and has its batches made anew), a
            `tf.data.Dataset`, a `torch.utils.data.Dataset`, an array, or a list or tuple of arrays
            of one length.
        left_size: elements of the left part: their number, or a fraction of all. None for what
            the right part leaves.
        right_size: the same for the right part.
        shuffle: whether to put the elements in a random order first.
        seed: of that order, the one that Keras has for it; None draws one from `set_random_seed`.
        preferred_backend: None or `"onnxruntime"`: each part is a `Dataset` in any case.

    Raises:
        TypeError: if `dataset` is none of these, or a size is no number.
        ValueError: if a size is out of range, both are None, or a part would be empty.

    Example:
        >>> left, right = split_dataset(np.arange(10), left_size=0.7)
        >>> len(left), [x.item() for x in right]
        (7, [7, 8, 9])
    """
    if preferred_backend not in {None, "onnxruntime"}:
        raise ValueError(
            "`preferred_backend` must be None or 'onnxruntime': the parts are data sets of "
            f"seqonnx. Received: preferred_backend={preferred_backend!r}"
        )
    if left_size is None and right_size is None:
        raise ValueError(
            "At least one of the `left_size` or `right_size` must be specified. Received: "
            "left_size=None and right_size=None"
        )
    size = getattr(dataset, "_batch_size", None)
    samples = dataset if size is None else dataset.unbatch()
    elements = [unwritable(as_element(element)) for element in _elements(samples)]
    if len(elements) == 0:
        raise ValueError("Received an empty dataset: there is nothing to split.")
    if shuffle:
        random.Random(config.next_seed() if seed is None else seed).shuffle(elements)
    left, right = _sizes(left_size, right_size, len(elements))
    parts = (_listed(elements[:left]), _listed(elements[-right:]))
    return parts if size is None else (parts[0].batch(int(size)), parts[1].batch(int(size)))


def _listed(elements: list[Any]) -> Dataset:
    return Dataset(lambda: iter(elements), len(elements))


def _elements(dataset: Any) -> Iterable[Any]:
    """The elements of what a user gave."""
    if isinstance(dataset, list | tuple):
        return Dataset.from_tensor_slices(_same_kind(dataset))
    if isinstance(dataset, Iterable):
        return dataset
    if getattr(dataset, "__getitem__", None) is not None and getattr(dataset, "__len__", None):
        return (dataset[index] for index in range(len(dataset)))
    raise TypeError(
        "The `dataset` argument must be a Dataset, an array, or a list or tuple of arrays. "
        f"Received: {dataset!r} of type {type(dataset)}"
    )


def _same_kind(arrays: list[Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    """Arrays of a list, as a tuple; raises a ValueError where one is none."""
    for place, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            raise ValueError(
                f"Expected a {type(arrays).__name__} of NumPy arrays of one length. Received: "
                f"{type(array)} at index {place}"
            )
    return tuple(arrays)


def _sizes(left: Size, right: Size, count: int) -> tuple[int, int]:
    """Numbers of elements of both parts."""
    sizes = [_size("left_size", left, count), _size("right_size", right, count)]
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(
            "The sum of `left_size` and `right_size` must not be greater than 1. Received: "
            f"left_size={left}, right_size={right}"
        )
    first = count - (sizes[1] or 0) if sizes[0] is None else sizes[0]
    last = count - first if sizes[1] is None else sizes[1]
    if first + last > count or 0 in {first, last}:
        raise ValueError(
            f"A data set of {count} elements cannot be split into parts of {first} and {last}: "
            f"together they must have {count} at most, and neither may be empty. Received: "
            f"left_size={left}, right_size={right}"
        )
    return first, last


def _size(name: str, size: Size, count: int) -> int | None:
    """Number of elements that an argument stands for."""
    if size is None:
        return None
    if type(size) not in {int, float}:
        raise TypeError(f"`{name}` must be an int, a float or None. Received: {name}={size!r}")
    if not 0 < size < (count if isinstance(size, int) else 1):
        raise ValueError(
            f"`{name}` must be a positive integer less than {count}, or a float between 0 and 1. "
            f"Received: {name}={size}"
        )
    return size if isinstance(size, int) else round(size * count)
