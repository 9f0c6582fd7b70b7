"""Data sets of files: read in the background by threads, with their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seqonnx import config
from seqonnx.data.dataset import Dataset
from seqonnx.data.directories import Files, Selection, encoded_labels, find_files, parts

Batched = Callable[[Dataset, int], Dataset]


def datasets_of(
    selection: Selection,
    read: Callable[[str], np.ndarray],
    batch_size: int | None,
    batched: Batched = Dataset.batch,
    reshuffle: bool = True,
) -> Any:
    """Return the data set of a selection of files; for the subset `"both"` a list of two.

    Args:
        selection: which files.
        read: returns the content of a file; called in threads.
        batch_size: files in a batch; None for single files.
        batched: makes batches of a data set.
        reshuffle: whether shuffled files have a new order in each pass.

    Raises:
        ValueError: if there are no files, or a combination is not legal.
    """
    seed = config.next_seed() % 10**6 if selection.seed is None else int(selection.seed)
    files = find_files(selection, seed)
    made = []
    for number, part in enumerate(parts(selection, files)):
        validation = selection.subset == "both" and number == 1  # which Keras does not shuffle
        order = seed if selection.shuffle and not validation else None
        elements = _elements(part, selection.label_mode, read, order, reshuffle)
        if batch_size is not None:
            elements = batched(elements, batch_size)
        result = elements.prefetch(Dataset.AUTOTUNE)
        result.file_paths = part.paths
        if part.class_names is not None:
            result.class_names = part.class_names
        made.append(result)
    return made if selection.subset == "both" else made[0]


def _elements(
    files: Files,
    label_mode: str | None,
    read: Callable[[str], np.ndarray],
    seed: int | None,
    reshuffle: bool,
) -> Dataset:
    """Contents, or pairs of a content and a label."""
    labels = encoded_labels(files, label_mode)

    def load(number: np.ndarray) -> Any:
        content = read(files.paths[int(number)])
        return content if labels is None else (content, labels[int(number)])

    numbers = Dataset.range(len(files.paths))
    if seed is not None:
        numbers = numbers.shuffle(len(files.paths), seed, reshuffle_each_iteration=reshuffle)
    return numbers.map(load, Dataset.AUTOTUNE)


def padded_batches(elements: Dataset, batch_size: int) -> Dataset:
    """Batches of arrays with different lengths: zeros fill them up to the longest of a batch."""

    def joined(arrays: list[np.ndarray]) -> np.ndarray:
        longest = max(len(array) for array in arrays)
        fill = ((0, 0),) * (arrays[0].ndim - 1)
        return np.stack([np.pad(each, ((0, longest - len(each)), *fill)) for each in arrays])

    return _own_batches(elements, batch_size, joined)


def ragged_batches(elements: Dataset, batch_size: int) -> Dataset:
    """Batches of arrays that keep their lengths: an array of objects, one for each."""

    def joined(arrays: list[np.ndarray]) -> np.ndarray:
        batch = np.empty(len(arrays), object)
        batch[:] = arrays
        return batch

    return _own_batches(elements, batch_size, joined)


def _own_batches(
    elements: Dataset, batch_size: int, joined: Callable[[list[np.ndarray]], np.ndarray]
) -> Dataset:
    def batch_of(group: list[Any]) -> Any:
        if not isinstance(group[0], tuple):
            return joined(group)
        contents, labels = zip(*group, strict=True)
        return joined(list(contents)), np.stack(labels)

    def source() -> Iterator[Any]:
        group: list[Any] = []
        for element in elements:
            group.append(element)
            if len(group) == batch_size:
                yield batch_of(group)
                group = []
        if group:
            yield batch_of(group)

    return Dataset(source, -(-len(elements) // batch_size))
