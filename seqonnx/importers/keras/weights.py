"""Keras's `.weights.h5`: variables at `layers/<class>_<n>/vars/<i>`, models nested the same way."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.graph import Variable
from seqonnx.graph.writing import replacing, target_of
from seqonnx.importers.keras.hdf5 import (
    Group,
    find_dataset,
    find_group,
    read_dataset,
    require_h5py,
    write_dataset,
)
from seqonnx.importers.keras.parts import Failure, Matched, Part

IDF: Final = "idf_weights"
"""Name of the inverse document frequencies of a vocabulary."""


class Stored(NamedTuple):
    """Arrays of one group.

    Args:
        name: the name of what they belong to.
        arrays: the arrays, in order.
    """

    name: str
    arrays: Sequence[npt.NDArray[Any]]


def match_weights(file: Group, root: Part) -> tuple[Matched, list[Failure]]:
    """Find every variable of a model in a file; nothing is changed.

    What the file has beyond the model, such as the state of an optimizer, is left alone.

    Args:
        file: root group of a `.weights.h5` file.
        root: the model.

    Returns:
        What was found, and the parts that do not fit.

    Raises:
        ModelFileError: if the file is broken, or refers to something outside itself.
    """
    matched: Matched = []
    failures: list[Failure] = []
    for path, part in root.walk():
        group = find_group(file, f"{path}vars")
        found = _match(group, part.variables)
        if isinstance(found, str):
            failures.append(Failure(part.label, f"Layer '{part.name}' {found}"))
        else:
            matched += found
    return matched, failures


def write_weights(root: Part, values: Mapping[Variable, npt.NDArray[Any]], path: Path) -> None:
    """Write a file that Keras 3 reads; the same weights give the same bytes.

    Args:
        root: the model.
        values: its weights, in the ONNX layout.
        path: a `.weights.h5` file; an earlier one is replaced only when the new one is whole.

    Raises:
        ImportError: if h5py is not installed.
        OSError: if the file cannot be written.
    """
    require_h5py()
    target_of(path)
    content = weights_content(root, values)
    with replacing(path) as temporary:
        temporary.write(content)


def weights_content(
    root: Part,
    values: Mapping[Variable, npt.NDArray[Any]],
    others: Mapping[str, Stored] = MappingProxyType({}),
) -> bytes:
    """Return the content of a `.weights.h5` file.

    Args:
        root: the model.
        values: its weights, in the ONNX layout.
        others: arrays of what is no layer, by their group, such as `"optimizer"`.

    Raises:
        ImportError: if h5py is not installed.
    """
    h5py = require_h5py()
    # In memory, because HDF5 ends the process where it cannot write to the disk. Files in memory
    # that have the same name are one file for HDF5, hence a name that no other thread has.
    name = secrets.token_hex(8)
    with h5py.File(name, "w", driver="core", backing_store=False) as file:
        for below, part in root.walk():
            shown = [variable._shown(values[variable]) for variable in part.variables]
            _write_group(file, f"{below}vars", Stored(part.name, shown))
        for below, stored in others.items():
            _write_group(file, f"{below}/vars", stored)
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def read_stored(file: Group, below: str) -> list[npt.NDArray[Any]] | None:
    """Return the arrays of a group that is no layer, in order, or None where there is none.

    Raises:
        ModelFileError: if the file is broken, or refers to something outside itself.
    """
    group = find_group(file, f"{below}/vars")
    if group is None:
        return None
    found = [find_dataset(group, str(index)) for index in range(len(group))]
    if any(dataset is None for dataset in found):
        raise ModelFileError(f"The group '{below}/vars' is damaged: its arrays are not numbered.")
    return [read_dataset(dataset) for dataset in found]


def _write_group(file: Group, path: str, stored: Stored) -> None:
    """Write arrays under their numbers, and whose they are."""
    group = file.create_group(path)
    group.attrs["name"] = stored.name
    for index, array in enumerate(stored.arrays):
        write_dataset(group, str(index), array)


def _match(group: Group | None, variables: Sequence[Variable]) -> Matched | str:
    """Pair the variables of a part with the data sets of a group, or say why they do not fit."""
    # The weights of a vocabulary are read with it (see `vocabularies`).
    count = 0 if group is None else len(group) - (IDF in group)
    if count != len(variables):
        return (
            f"expected {len(variables)} variables, but received {count} variables during loading. "
            f"Expected: {[variable.name for variable in variables]}."
        )
    matched: Matched = []
    for index, variable in enumerate(variables):
        dataset = find_dataset(group, str(index))
        if dataset is None:
            return f"has no variable {index} ('{variable.name}') in the file."
        if dataset.shape != variable.shape:
            return (
                f"has a variable '{variable.name}' of shape {variable.shape}, but the file holds "
                f"shape {dataset.shape}."
            )
        matched.append((variable, read_dataset(dataset)))
    return matched
