"""`audio_dataset_from_directory`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from seqonnx.data.dataset import Dataset
from seqonnx.data.directories import Path, Selection
from seqonnx.data.file_datasets import datasets_of, padded_batches, ragged_batches
from seqonnx.data.recordings import of_length, read_wav, resampled


def audio_dataset_from_directory(
    directory: Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Return a data set of the recordings in a directory, read in the background by threads.

    Files are listed by folder and name, shuffled and split as Keras does it, so the same files are
    for training and for validation.

    Args:
        directory: where the recordings lie: `.wav` files of integers (PCM). With inferred labels
            there is a subdirectory for each class.
        labels: `"inferred"`, None for recordings without labels, or an integer for each file, in
            the order of their paths.
        label_mode: `"int"` for int32 labels of shape (batch,), `"categorical"` for one-hot float32
            rows, `"binary"` for float32 of shape (batch, 1), None for no labels.
        class_names: subdirectories in the order of their labels; default: all, sorted.
        batch_size: recordings in a batch; None for single ones.
        sampling_rate: samples per second to convert to; default: each as it is.
        output_sequence_length: samples to keep of each, filled up with zeros; default: zeros fill
            a recording up to the longest of its batch.
        ragged: keep the length of each; a batch is then an array of objects.
        shuffle: whether the order is random, and anew in each pass.
        seed: of the order; default: from `set_random_seed`.
        validation_split: fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a list of two data sets.
        follow_links: whether to follow symbolic links to directories.
        verbose: whether to print how many files there are.

    Returns:
        A `Dataset` of float32 arrays of shape (batch, samples, channels) with values from -1 to 1,
        or of pairs of them and labels; with the attributes `class_names` and `file_paths`.

    Raises:
        ValueError: if an argument is not legal, or there are no files; in a pass, if a file is no
            such recording.

    Example:
        >>> words = audio_dataset_from_directory("speech", sampling_rate=8000)  # doctest: +SKIP
    """
    selection = Selection(
        *(directory, labels, label_mode, class_names, shuffle, seed, validation_split, subset),
        *(follow_links, verbose, "WAV", (".wav",)),
    )
    if ragged and output_sequence_length is not None:
        raise ValueError(
            "`ragged` keeps the length of each recording, `output_sequence_length` sets one for "
            f"all: only one can be given. Received: ragged={ragged!r}, "
            f"output_sequence_length={output_sequence_length!r}"
        )
    _check_positive("sampling_rate", sampling_rate)
    _check_positive("output_sequence_length", output_sequence_length)
    read = partial(_read, rate=sampling_rate, length=output_sequence_length)
    if output_sequence_length is not None:
        return datasets_of(selection, read, batch_size, Dataset.batch)
    return datasets_of(selection, read, batch_size, ragged_batches if ragged else padded_batches)


def _read(path: str, rate: int | None, length: int | None) -> np.ndarray:
    """A recording as a float32 array of shape (samples, channels)."""
    samples, own_rate = read_wav(path)
    if rate is not None:
        samples = resampled(samples, own_rate, rate)
    return samples if length is None else of_length(samples, length)


def _check_positive(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
