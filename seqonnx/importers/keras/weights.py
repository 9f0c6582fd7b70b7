"""Keras's `.weights.h5`: variables at `layers/<class>_<n>/vars/<i>`, models nested the same way."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seqonnx.graph import Variable, read_together
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


def write_weights(root: Part, path: Path) -> None:
    """Write a file that Keras 3 reads; the same weights give the same bytes.

    Args:
        root: the model.
        path: a `.weights.h5` file; an earlier one is replaced only when the new one is whole.

    Raises:
        ImportError: if h5py is not installed.
        OSError: if the file cannot be written.
    """
    h5py = require_h5py()
    target_of(path)
    variables = [variable for _, part in root.walk() for variable in part.variables]
    values = dict(zip(variables, read_together(variables)[1], strict=True))
    # In memory, because HDF5 ends the process where it cannot write to the disk. Files in memory
    # that have the same name are one file for HDF5, hence a name that no other thread has.
    name = secrets.token_hex(8)
    with h5py.File(name, "w", driver="core", backing_store=False) as file:
        for below, part in root.walk():
            group = file.create_group(f"{below}vars")
            group.attrs["name"] = part.name
            for index, variable in enumerate(part.variables):
                write_dataset(group, str(index), variable._shown(values[variable]))
        file.flush()
        content = file.id.get_file_image()
    with replacing(path) as temporary:
        temporary.write(content)


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
