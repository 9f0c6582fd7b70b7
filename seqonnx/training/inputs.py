"""Input arrays as a model's inputs want them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.symbolic import SymbolicTensor


def with_ranks(
    arrays: Iterable[npt.NDArray[Any]], inputs: Iterable[SymbolicTensor]
) -> list[npt.NDArray[Any]]:
    """Return arrays with the ranks of model inputs: as in Keras `(n,)` stands for `(n, 1)`.

    Args:
        arrays: one array per input, batch first.
        inputs: the model inputs.

    Returns:
        The arrays, or views of them.
    """
    return [
        array if array.ndim == len(tensor.shape) else _with_rank(array, tensor)
        for array, tensor in zip(arrays, inputs, strict=True)
    ]


def _with_rank(array: npt.NDArray[Any], tensor: SymbolicTensor) -> npt.NDArray[Any]:
    if array.ndim == tensor.ndim - 1 and tensor.shape[-1] == 1:
        return array[..., np.newaxis]
    if array.ndim == tensor.ndim + 1 and array.shape[-1] == 1:
        return array[..., 0]
    return array
