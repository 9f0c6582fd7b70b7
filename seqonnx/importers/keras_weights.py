"""Keras's `.weights.h5`: variables at `layers/<class>_<n>/vars/<i>`, models nested the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqonnx.graph import Variable
from seqonnx.graph.files import replacing
from seqonnx.importers.hdf5 import (
    Group,
    find_dataset,
    find_group,
    read_dataset,
    require_h5py,
)
from seqonnx.importers.parts import Failure, Matched, Part


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
    with replacing(path) as temporary, h5py.File(temporary.name, "w") as file:
        for below, part in root.walk():
            group = file.create_group(f"{below}vars")
            group.attrs["name"] = part.name
            for index, variable in enumerate(part.variables):
                group.create_dataset(str(index), data=variable.numpy())


def _match(group: Group | None, variables: Sequence[Variable]) -> Matched | str:
    """What a group has for the variables of a part, or why it does not fit."""
    count = 0 if group is None else len(group)
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
