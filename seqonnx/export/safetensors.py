"""Weights alone, as `.safetensors`: by the paths of `.npz` files, in the Keras layout."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.export.weights import keys_of
from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.graph.writing import replacing, target_of

SAFETENSORS: Final = ".safetensors"
_ORDER: Final = "order"
"""Entry of the metadata with the names of the weights in the order of the model."""


def write_safetensors(variables: Sequence[Variable], path: Path) -> None:
    """Write weights; the same weights give the same bytes.

    Args:
        variables: weights in the model's order.
        path: a `.safetensors` file; an earlier one is replaced only when the new one is whole.

    Raises:
        ImportError: if safetensors is not installed.
        OSError: if the file cannot be written.
    """
    _library()
    target_of(path)
    values = read_together(variables)[1]
    arrays = {
        key: variable._shown(value)
        for key, variable, value in zip(keys_of(variables), variables, values, strict=True)
    }
    # The file itself sorts its arrays by dtype and name.
    content = safetensors_bytes(arrays, {_ORDER: json.dumps(list(arrays))})
    with replacing(path) as file:
        file.write(content)


def read_safetensors(
    variables: Sequence[Variable], path: Path, model: str, *, skip_mismatch: bool
) -> None:
    """Read weights by their paths; else, where all shapes fit, in their order.

    Args:
        variables: weights in the model's order.
        path: the file.
        model: name of the model, for errors.
        skip_mismatch: leave weights that are absent or of another shape as they are, and warn.

    Raises:
        ImportError: if safetensors is not installed.
        ModelFileError: if the file is absent or broken.
        ValueError: if weights are absent or have another shape; then nothing has changed.
    """
    stored = _read(path)
    keys = keys_of(variables)
    fits = [array.shape for array in stored.values()] == [v.shape for v in variables]
    if fits and not set(keys) <= set(stored):
        stored = dict(zip(keys, stored.values(), strict=True))
    matched, problems = [], []
    for key, variable in zip(keys, variables, strict=True):
        array = stored.get(key)
        if array is None:
            problems.append(f"'{key}' is not in the file, which holds {sorted(stored)}")
        elif array.shape != variable.shape:
            problems.append(
                f"'{key}' has shape {array.shape} in the file and {variable.shape} in the model"
            )
        else:
            matched.append((variable, variable._fitted(array)))
    if len(problems) > 0:
        text = (
            f"A total of {len(problems)} weights of model '{model}' could not be loaded "
            f"from {path}. Example: {problems[0]}."
        )
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=4)
    assign_together(matched)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, in the order of the model."""
    arrays, metadata = read_arrays(path)
    try:
        order = json.loads(metadata.get(_ORDER, "null")) or list(arrays)
        return {key: arrays[key] for key in order}
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{path} is not a whole `.safetensors` file: {error}") from error


def safetensors_bytes(arrays: dict[str, npt.NDArray[Any]], metadata: dict[str, str]) -> bytes:
    """Return the content of a file; the same arrays give the same bytes.

    Args:
        arrays: arrays by name.
        metadata: texts by name.

    Raises:
        ImportError: if safetensors is not installed.
    """
    content: bytes = _library().numpy.save(arrays, metadata=metadata)
    return content


def read_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Return the arrays of a file by name, and its metadata.

    Raises:
        ImportError: if safetensors is not installed.
        ModelFileError: if the file is absent or broken.
    """
    library = _library()
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected a `.safetensors` file of weights.")
    try:
        with library.safe_open(path, framework="numpy") as file:
            arrays = {key: np.asarray(file.get_tensor(key), order="C") for key in list(file.keys())}
            return arrays, dict(file.metadata() or {})
    except (library.SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is not a whole `.safetensors` file: {error}") from error


def _library() -> Any:
    """The module `safetensors`."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "`.safetensors` files need safetensors. Install it with: "
            'pip install "seqonnx[safetensors]"'
        ) from error
    return safetensors
