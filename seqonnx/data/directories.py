"""Files of a directory, their labels, and the part of them that is for training."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

LABEL_MODES = ("int", "categorical", "binary", None)
SUBSETS = ("training", "validation", "both", None)

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Files:
    """Paths of files and their labels.

    Args:
        paths: the files, in the order of the data set.
        labels: int32 label of each, or None.
        class_names: names of the classes, or None without labels.
    """

    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None


@dataclass(frozen=True)
class Selection:
    """Which files of a directory are wanted, and with what labels; as the user asked.

    Args:
        directory: where the files lie.
        labels: `"inferred"` (from the subdirectories), None, or an integer for each file.
        label_mode: `"int"`, `"categorical"`, `"binary"` or None.
        class_names: subdirectories to read, in the order of their labels.
        shuffle: whether to put the files in a random order.
        seed: of that order.
        validation_split: fraction of the files that is kept for validation.
        subset: `"training"`, `"validation"`, `"both"`, or None for all.
        follow_links: whether to follow symbolic links to directories.
        verbose: whether to tell how many files were found.
        kind: word for the files in messages.
        formats: endings of the files' names.

    Raises:
        ValueError: if arguments are not legal, or do not go together.
    """

    directory: Path
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool
    kind: str
    formats: tuple[str, ...]

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_split()

    def _check_labels(self) -> None:
        given = not isinstance(self.labels, str) and self.labels is not None
        if (given and not isinstance(self.labels, list | tuple)) or (
            isinstance(self.labels, str) and self.labels != "inferred"
        ):
            raise ValueError(
                '`labels` must be "inferred" (from the names of the subdirectories), None (no '
                f"labels), or a list or tuple with an integer for each of the {self.kind} files in "
                f"the order of their paths. Received: labels={self.labels!r}"
            )
        if self.class_names and (self.labels != "inferred" or self.label_mode is None):
            raise ValueError(
                '`class_names` names subdirectories, and can only be given with labels="inferred" '
                f"and a label_mode. Received: labels={self.labels!r}, "
                f"label_mode={self.label_mode!r}, class_names={self.class_names!r}"
            )
        if self.label_mode not in LABEL_MODES:
            raise ValueError(
                '`label_mode` must be "int", "categorical", "binary" or None. Received: '
                f"label_mode={self.label_mode!r}"
            )

    def _check_split(self) -> None:
        split, subset = self.validation_split, self.subset
        if split and not 0 < split < 1:
            raise ValueError(
                f"`validation_split` must lie between 0 and 1. Received: validation_split={split!r}"
            )
        if subset not in SUBSETS:
            raise ValueError(
                '`subset` must be "training", "validation", "both" or None. Received: '
                f"subset={subset!r}"
            )
        if bool(split) != bool(subset):
            raise ValueError(
                "`validation_split` and `subset` go together: the fraction, and which part is "
                f"wanted. Received: validation_split={split!r}, subset={subset!r}"
            )
        if split and self.shuffle and self.seed is None:
            raise ValueError(
                "A split of shuffled files needs a `seed`, so that those for training and for "
                "validation do not overlap. Received: seed=None"
            )

    @property
    def labelled(self) -> bool:
        """Whether the data set gives labels."""
        return self.labels is not None and self.label_mode is not None


def check_format(format: str) -> None:
    """Raise a ValueError unless a kind of data set is one of Keras's two."""
    if format not in {"tf", "grain"}:
        raise ValueError(f'`format` must be "tf" or "grain". Received: format={format!r}')


def find_files(selection: Selection, seed: int) -> Files:
    """List the files of a directory with their labels, in Keras's order.

    Args:
        selection: what is wanted; its subset is not taken yet.
        seed: of the random order.

    Raises:
        ValueError: if `class_names` are no subdirectories, labels are not as many as files, or
            binary labels are wanted of other than two classes.
        OSError: if the directory cannot be read.
    """
    found = _listed(selection)
    if selection.verbose:
        classes = f" belonging to {len(found.class_names)} classes" if found.class_names else ""
        say(f"Found {len(found.paths)} files{classes}.")
    if selection.labelled and selection.label_mode == "binary":
        names = found.class_names or []
        if len(names) != 2:
            raise ValueError(
                f'`label_mode="binary"` needs exactly 2 classes. Received: {len(names)} in '
                f"{selection.directory}: {names}"
            )
    if not selection.shuffle:
        return found
    order = np.arange(len(found.paths))
    np.random.RandomState(seed).shuffle(order)  # the order of Keras
    labels = None if found.labels is None else found.labels[order]
    return replace(found, paths=[found.paths[i] for i in order], labels=labels)


def parts(selection: Selection, files: Files) -> list[Files]:
    """Return the subset that is wanted; for `"both"` the files for training and for validation.

    Raises:
        ValueError: if there is no file in it.
    """
    count = int((selection.validation_split or 0) * len(files.paths))
    cut = len(files.paths) - count
    if selection.subset is None:
        chosen = {"": slice(None)}
    else:
        both = {"training": slice(cut), "validation": slice(cut, None)}
        chosen = {k: v for k, v in both.items() if selection.subset in {k, "both"}}
    result = []
    for name, part in chosen.items():
        paths = files.paths[part]
        if name and selection.verbose:
            say(f"Using {len(paths)} files for {name}.")
        if not paths:
            raise ValueError(
                f"There are no {name}{' ' if name else ''}{selection.kind} files in "
                f"{selection.directory}. Their names must end in {', '.join(selection.formats)}"
            )
        labels = None if files.labels is None else files.labels[part]
        result.append(replace(files, paths=paths, labels=labels))
    return result


def encoded_labels(files: Files, mode: str | None) -> np.ndarray | None:
    """Return the labels as a loss wants them, one row a file.

    Args:
        files: files with int32 labels.
        mode: `"int"` gives shape (n,) int32; `"binary"` (n, 1) float32; `"categorical"` one-hot
            rows (n, classes) float32.
    """
    if files.labels is None or mode is None:
        return None
    if mode == "int":
        return files.labels
    if mode == "binary":
        return np.asarray(files.labels[:, None], np.float32)
    classes = np.arange(len(files.class_names or []))
    return np.asarray(files.labels[:, None] == classes, np.float32)


def say(message: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(message + "\n")


def _listed(selection: Selection) -> Files:
    """Files in the order of their paths."""
    directory, labels = os.fspath(selection.directory), selection.labels
    if not selection.labelled:
        return Files(list(_walk(directory, selection)), None, None)
    if labels != "inferred":
        paths = list(_walk(directory, selection))
        if len(labels) != len(paths):
            raise ValueError(
                f"`labels` must have one label for each of the {len(paths)} {selection.kind} files "
                f"in {directory}. Received: {len(labels)} labels"
            )
        names = [str(label) for label in sorted(set(labels))]
        return Files(paths, np.array(labels, np.int32), names)
    names = _classes(directory, selection.class_names)
    of_class = [list(_walk(os.path.join(directory, name), selection)) for name in names]
    counts = [len(paths) for paths in of_class]
    indices = np.repeat(np.arange(len(names), dtype=np.int32), counts)
    return Files([path for paths in of_class for path in paths], indices, names)


def _classes(directory: str, wanted: Sequence[str] | None) -> list[str]:
    """Names of the subdirectories, or those of them that the user wants."""
    there = sorted(
        entry.name
        for entry in os.scandir(directory)
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if wanted is None:
        return there
    if not set(wanted) <= set(there):
        raise ValueError(
            f"`class_names` must be names of subdirectories of {directory}: {there}, or some of "
            f"them. Received: class_names={list(wanted)}"
        )
    return list(wanted)


def _walk(directory: str, selection: Selection) -> Iterator[str]:
    """Paths of the files in a directory and below it, sorted by folder and by name."""
    walk = os.walk(directory, followlinks=selection.follow_links)
    for folder, _, names in sorted(walk, key=lambda entry: entry[0]):
        for name in sorted(names):
            if name.lower().endswith(selection.formats):
                yield os.path.join(folder, name)
