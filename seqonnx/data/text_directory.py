"""`text_dataset_from_directory`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from seqonnx.data.directories import Path, Selection, check_format
from seqonnx.data.file_datasets import datasets_of


def text_dataset_from_directory(
    directory: Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Return a data set of the texts in a directory, read in the background by threads.

    Files are listed by folder and name, shuffled and split as Keras does it, so the same files are
    for training and for validation.

    Args:
        directory: where the texts lie: `.txt` files, read as UTF-8. With inferred labels there is a
            subdirectory for each class.
        labels: `"inferred"`, None for texts without labels, or an integer for each file, in the
            order of their paths.
        label_mode: `"int"` for int32 labels of shape (batch,), `"categorical"` for one-hot float32
            rows, `"binary"` for float32 of shape (batch, 1), None for no labels.
        class_names: subdirectories in the order of their labels; default: all, sorted.
        batch_size: texts in a batch; None for single texts.
        max_length: characters to keep of each text; default: all.
        shuffle: whether the order is random, and anew in each pass.
        seed: of the order; default: from `set_random_seed`.
        validation_split: fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a list of two data sets.
        follow_links: whether to follow symbolic links to directories.
        format: `"tf"` or `"grain"`, whose shuffled order stays the same in each pass. Either gives
            a `Dataset` of this package.
        verbose: whether to print how many files there are.

    Returns:
        A `Dataset` of arrays of strings of shape (batch,), or of pairs of them and labels; with
        the attributes `class_names` and `file_paths`.

    Raises:
        ValueError: if an argument is not legal, or there are no files.

    Example:
        >>> reviews = text_dataset_from_directory("reviews/train")  # doctest: +SKIP
    """
    check_format(format)
    selection = Selection(
        *(directory, labels, label_mode, class_names, shuffle, seed, validation_split, subset),
        *(follow_links, verbose, "text", (".txt",)),
    )
    if max_length is not None and max_length < 1:
        raise ValueError(f"`max_length` must be positive. Received: max_length={max_length!r}")
    read = partial(_read, max_length=max_length)
    return datasets_of(selection, read, batch_size, reshuffle=format == "tf")


def _read(path: str, max_length: int | None) -> np.ndarray:
    """A text as an array without axes."""
    text = pathlib.Path(path).read_bytes().decode("utf-8", errors="replace")
    return np.array(text[:max_length])
