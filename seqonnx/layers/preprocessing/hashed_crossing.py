"""HashedCrossing: features together become the number of a bin, by a hash.

As in `Hashing`, the hash is computed on the host, and the bins are encoded by a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.dtypes import DTypePolicy
from seqonnx.graph import Emitter
from seqonnx.layers.alone import run_alone
from seqonnx.layers.base import Layer
from seqonnx.layers.preprocessing.categories import check_dense, check_mode, encode
from seqonnx.layers.preprocessing.farmhash import Words, fingerprints, joined_fingerprints
from seqonnx.layers.preprocessing.hashes import data_to_hash, refuse_hash

_START = 0xDECAFCAFFE
"""The fingerprint that TensorFlow's `cross_hashed` begins with."""


@register("layer")
class HashedCrossing(Layer):
    """The number of the bin that a hash puts the features of a sample into, as in Keras.

    The layer is called on a list of arrays of strings or integers, all of shape (), (batch,) or
    (batch, 1); it cannot be part of a model, because ONNX has no hash.

    Args:
        num_bins: number of bins.
        output_mode: `"int"` (numbers of bins) or `"one_hot"` (vectors with a place for each).
        sparse: must be False: ONNX Runtime computes with dense tensors.
        name: see `Layer`.
        dtype: dtype of the result; default int64 in the mode `"int"`, else float32.

    Raises:
        ValueError: if an argument is not one of those named.

    Example:
        >>> HashedCrossing(5)((np.array(["A", "B"]), np.array([101, 101]))).tolist()
        [1, 4]
    """

    autocast = False

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: str | DTypePolicy | None = None,
    ) -> None:
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        super().__init__(name=name, dtype=dtype)
        self.num_bins: int = dtypes.plain_value(num_bins)
        self.output_mode = check_mode(output_mode, ("int", "one_hot"), type(self).__name__)
        self.sparse = check_dense(sparse)

    def call(self, op: Emitter, x: Any, training: bool) -> Never:
        """Refuse to be part of a graph."""
        refuse_hash(self.name)

    def _encode(self, op: Emitter, bins: list[ir.Value]) -> ir.Value:
        """Emit the encoding of bins."""
        return encode(op, bins[0], self.output_mode, self.num_bins, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @property
    def _takes_list(self) -> bool:
        return True

    def _separate(self, x: Any) -> list[Any]:
        _check_several(x)
        return list(x)

    @property
    def _on_host(self) -> bool:
        return True

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Hash on the host, and run the graph of the encoding."""
        arrays = [data_to_hash(part) for part in data]
        _check_shapes(arrays)
        words = np.full(arrays[0].size, _START, np.uint64)
        for array in arrays:
            words = joined_fingerprints(words, _words(array))
        bins = (words % np.uint64(self.num_bins)).astype(np.int64).reshape(arrays[0].shape)
        return run_alone(self._calls_on_data, [bins], "host", self._encode)


def _words(array: npt.NDArray[Any]) -> Words:
    """A number of 64 bits for each element: an integer's is itself."""
    flat = array.reshape(-1)
    if flat.dtype.kind in "iu":
        return flat.astype(np.int64).astype(np.uint64)
    return fingerprints([text.encode() for text in flat])


def _check_several(inputs: Any) -> None:
    if not isinstance(inputs, list | tuple):
        raise ValueError(
            "`HashedCrossing` should be called on a list or tuple of inputs. Received: "
            f"inputs={inputs}"
        )
    if len(inputs) < 2:
        raise ValueError(
            f"`HashedCrossing` should be called on at least two inputs. Received: inputs={inputs}"
        )


def _check_shapes(arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Refuse features that are not numbers or strings of one sample each."""
    first = arrays[0].shape
    received = ", ".join(f"{array.shape} of {dtypes.name_of(array)}" for array in arrays)
    if len(first) > 2 or (len(first) == 2 and first[-1] != 1):
        raise ValueError(
            "All `HashedCrossing` inputs should have shape `()`, `(batch_size)` or "
            f"`(batch_size, 1)`. Received: inputs={received}"
        )
    if any(array.shape != first for array in arrays):
        raise ValueError(
            f"All `HashedCrossing` inputs should have equal shape. Received: inputs={received}"
        )
    if any(array.dtype.kind not in "iuO" for array in arrays):
        raise ValueError(
            "All `HashedCrossing` inputs should have an integer or string dtype. Received: "
            f"inputs={received}"
        )
