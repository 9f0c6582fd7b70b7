"""Hashes of text and of numbers into bins, as TensorFlow and Keras compute them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.layers.preprocessing.farmhash import fingerprints
from seqonnx.layers.preprocessing.siphash import siphashes


def hash_bins(
    array: npt.NDArray[Any], bins: int, salt: Sequence[int] | None
) -> npt.NDArray[np.int64]:
    """Return a bin for each element, by the hash of its text.

    Args:
        array: strings, or numbers, which are written out; fractions are cut off before.
        bins: number of bins.
        salt: two integers for SipHash-2-4; None for FarmHash's fingerprint.

    Example:
        >>> hash_bins(np.array(["A", "B"], object), 3, None).tolist()
        [1, 0]
    """
    found, places = np.unique(array.reshape(-1), return_inverse=True)
    texts = [text.encode() for text in _written(found)]
    words = fingerprints(texts) if salt is None else siphashes(texts, salt)
    numbers = (words % np.uint64(bins)).astype(np.int64)
    return numbers[places].reshape(array.shape)


def checked_salt(salt: Any, layer: str) -> list[int] | None:
    """Return a salt as two integers; one stands for both.

    Raises:
        ValueError: if it is neither.
    """
    salt = dtypes.plain_value(salt)
    if salt is None:
        return None
    if isinstance(salt, list | tuple) and len(salt) == 2:
        return list(salt)
    if isinstance(salt, int):
        return [salt, salt]
    raise ValueError(
        f"The `salt` argument for `{layer}` can only be a tuple of size 2 integers, or a single "
        f"integer. Received: salt={salt}."
    )


def _written(values: npt.NDArray[Any]) -> list[str]:
    """Numbers as TensorFlow's `as_string` writes them."""
    if values.dtype.kind == "b":
        return ["true" if value else "false" for value in values.tolist()]
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    return [str(value) for value in values.tolist()]


def data_to_hash(data: Any) -> npt.NDArray[Any]:
    """Return data as an array of strings, or of numbers.

    Raises:
        ValueError: if it holds neither.
    """
    array = np.asarray(data)
    return dtypes.to_array(array, "string" if dtypes.name_of(array) == "string" else None, "inputs")


def refuse_hash(layer: str) -> Never:
    """Refuse a layer that hashes inside a model.

    Raises:
        ValueError: always.
    """
    raise ValueError(
        f"Layer '{layer}' cannot be part of a model: it hashes, and ONNX has no hash. Call it on "
        "the data before, and build, train and export the model from the numbers on."
    )
