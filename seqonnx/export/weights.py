"""Weights alone, as `.npz`."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.graph import Variable
from seqonnx.graph.files import replacing

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_weights(variables: Sequence[Variable], path: Path) -> None:
    """Write weights in the Keras layout; the same weights give the same bytes.

    Args:
        variables: weights in the model's order.
        path: an `.npz` file; an earlier one is replaced only when the new one is whole.

    Raises:
        ValueError: if the name does not end in `.npz`.
    """
    _check_suffix(path)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, variable in zip(_keys(variables), variables, strict=True):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, variable.numpy(), allow_pickle=False)


def read_weights(
    variables: Sequence[Variable], path: Path, model: str, *, skip_mismatch: bool = False
) -> None:
    """Read weights; nothing changes if one of them does not fit.

    Args:
        variables: weights in the model's order; matched by their path.
        path: a file that `write_weights` wrote.
        model: name of the model, for errors.
        skip_mismatch: leave weights that are absent or of another shape as they are, and warn.

    Raises:
        ModelFileError: if the file is absent or broken.
        ValueError: if weights are absent or have another shape.
    """
    _check_suffix(path)
    found = _read(path)
    problems: list[str] = []
    matched: list[tuple[Variable, npt.NDArray[Any]]] = []
    for name, variable in zip(_keys(variables), variables, strict=True):
        if name not in found:
            problems.append(f"'{name}' is not in the file, which holds {sorted(found)}")
        elif found[name].shape != variable.shape:
            problems.append(
                f"'{name}' has shape {found[name].shape} in the file and {variable.shape} "
                "in the model"
            )
        else:
            matched.append((variable, found[name]))
    if problems:
        text = (
            f"A total of {len(problems)} weights of model '{model}' could not be loaded from "
            f"{path}. Example: {problems[0]}."
        )
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=3)
    for variable, array in matched:
        variable.assign(array)


def _keys(variables: Sequence[Variable]) -> list[str]:
    """Paths, numbered where two weights share one."""
    seen: dict[str, int] = {}
    keys = []
    for variable in variables:
        count = seen.get(variable.path, 0)
        seen[variable.path] = count + 1
        keys.append(variable.path if count == 0 else f"{variable.path}_{count}")
    return keys


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected an `.npz` file of weights.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(f"{path} is not an `.npz` file of weights: {error}") from error


def _check_suffix(path: Path) -> None:
    if path.suffix != ".npz":
        raise ValueError(f"The filename must end in `.npz`. Received: filepath={path}")
