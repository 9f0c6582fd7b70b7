"""Weights alone, as `.npz`."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.export.arrays import StoredArray, open_arrays
from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.graph.writing import replacing

_EPOCH = (1980, 1, 1, 0, 0, 0)
_BFLOAT16_BITS = np.dtype("V2")
"""NumPy's format for bfloat16, which it has no name for."""


def write_weights(variables: Sequence[Variable], path: Path) -> None:
    """Write weights in the Keras layout; the same weights give the same bytes.

    Args:
        variables: weights in the model's order.
        path: an `.npz` file; an earlier one is replaced only when the new one is whole.

    Raises:
        ValueError: if the name does not end in `.npz`.
    """
    _check_suffix(path)
    _, values = read_together(variables)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, variable, value in zip(keys_of(variables), variables, values, strict=True):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, variable._shown(value), allow_pickle=False)


def read_weights(
    variables: Sequence[Variable], path: Path, model: str, *, skip_mismatch: bool = False
) -> None:
    """Read weights; nothing changes if one of them does not fit.

    Weights are matched by their path. A model with other layer names, such as one that the same
    code has built a second time, takes them in their order if all shapes fit.

    Args:
        variables: weights in the model's order.
        path: a file that `write_weights` wrote.
        model: name of the model, for errors.
        skip_mismatch: leave weights that are absent or of another shape as they are, and warn.

    Raises:
        ModelFileError: if the file is absent or broken.
        ValueError: if weights are absent or have another shape.
    """
    _check_suffix(path)
    with open_arrays(path) as stored:
        keys = keys_of(variables)
        shapes = [array.shape for array in stored.values()]
        in_order = shapes == [variable.shape for variable in variables]
        renamed = in_order and not set(keys) <= set(stored)
        found = dict(zip(keys, stored.values(), strict=True)) if renamed else stored
        matched: list[tuple[Variable, npt.NDArray[Any]]] = []
        problems: list[str] = []
        for name, variable in zip(keys, variables, strict=True):
            problem = _misfit(name, variable, found)
            if problem is None:
                matched.append((variable, found[name].read()))
            else:
                problems.append(problem)
    if len(problems) > 0:
        text = (
            f"A total of {len(problems)} weights of model '{model}' could not be loaded from "
            f"{path}. Example: {problems[0]}."
        )
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=5)
    assign_together((variable, variable._fitted(_numbers(array))) for variable, array in matched)


def _misfit(name: str, variable: Variable, found: Mapping[str, StoredArray]) -> str | None:
    """Why a weight cannot be taken from a file, or None."""
    array = found.get(name)
    if array is None:
        return f"'{name}' is not in the file, which holds {sorted(found)}"
    if array.shape != variable.shape:
        return f"'{name}' has shape {array.shape} in the file and {variable.shape} in the model"
    if array.dtype.kind not in "biuf" and array.dtype != _BFLOAT16_BITS:
        return f"'{name}' holds no numbers in the file but {array.dtype}"
    return None


def _numbers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of the file with the dtype that it was written with."""
    if array.dtype != _BFLOAT16_BITS:
        return array
    import ml_dtypes

    return array.view(ml_dtypes.bfloat16)


def keys_of(variables: Sequence[Variable]) -> list[str]:
    """Return paths, numbered where two weights share one."""
    seen: dict[str, int] = {}
    keys = []
    for variable in variables:
        count = seen.get(variable.path, 0)
        seen[variable.path] = count + 1
        keys.append(variable.path if count == 0 else f"{variable.path}_{count}")
    return keys


def _check_suffix(path: Path) -> None:
    if path.suffix != ".npz":
        raise ValueError(
            f"The filename must end in `.npz` or `.weights.h5`. Received: filepath={path}"
        )
