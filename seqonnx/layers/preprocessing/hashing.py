"""Hashing: strings and integers become the number of a bin, by a hash.

ONNX has no hash, so the hash is computed on the host, where its code is the only one that there
is; the bins are encoded by the operators of a model's graph.
"""

from __future__ import annotations

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
from seqonnx.layers.preprocessing.categories import check_dense, encode
from seqonnx.layers.preprocessing.hashes import checked_salt, data_to_hash, hash_bins, refuse_hash

_MODES = ("int", "one_hot", "multi_hot", "count")


@register("layer")
class Hashing(Layer):
    """The number of the bin that a hash puts a string or an integer into, as in Keras.

    The hash is FarmHash's `Fingerprint64`; with a salt SipHash-2-4. Numbers are hashed as they
    are written; fractions are cut off before. The layer is called on arrays; it cannot be part of
    a model, because ONNX has no hash.

    Args:
        num_bins: number of bins.
        mask_value: string or integer that alone is put into bin 0.
        salt: one or two integers: the key of SipHash.
        output_mode: `"int"` (numbers of bins), or the bins as vectors: `"one_hot"`,
            `"multi_hot"` and `"count"` (see `CategoryEncoding`).
        sparse: must be False: ONNX Runtime computes with dense tensors.
        dtype: dtype of the result; default int64 in the mode `"int"`, else float32.
        name: see `Layer`.
        trainable: see `Layer`.

    Raises:
        ValueError: if an argument is not one of those named.

    Example:
        >>> Hashing(3)([["A"], ["B"], ["C"]]).tolist()
        [[1], [0], [1]]
    """

    autocast = False

    def __init__(
        self,
        num_bins: int,
        mask_value: str | int | None = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        *,
        dtype: str | DTypePolicy | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        given = dtype
        if dtype is None:
            dtype = "int64" if output_mode == "int" else None
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if num_bins is None or num_bins <= 0:
            raise ValueError(
                "The `num_bins` for `Hashing` cannot be `None` or non-positive values. Received: "
                f"num_bins={num_bins}."
            )
        if output_mode == "int" and self.dtype_policy not in {"int32", "int64"}:
            raise ValueError(
                "When `output_mode=\"int\"`, `dtype` should be an integer type, 'int32' or "
                f"'int64'. Received: dtype={given}"
            )
        if output_mode not in _MODES:
            raise ValueError(
                f"Invalid value for argument `output_mode`. Expected one of {_MODES}. Received: "
                f"output_mode={output_mode}"
            )
        self.num_bins: int = dtypes.plain_value(num_bins)
        self.mask_value = dtypes.plain_value(mask_value)
        self.salt = checked_salt(salt, "Hashing")
        self.output_mode = output_mode
        self.sparse = check_dense(sparse)

    def call(self, op: Emitter, x: Any, training: bool) -> Never:
        """Refuse to be part of a graph."""
        refuse_hash(self.name)

    def _encode(self, op: Emitter, bins: list[ir.Value]) -> ir.Value:
        """Emit the encoding of bins."""
        return encode(op, bins[0], self.output_mode, self.num_bins, self.compute_dtype)

    @property
    def _on_host(self) -> bool:
        return True

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Hash on the host, and run the graph of the encoding."""
        array = data_to_hash(data)
        if self.mask_value is None or self.num_bins == 1:
            bins = hash_bins(array, self.num_bins, self.salt)
        else:
            bins = 1 + hash_bins(array, self.num_bins - 1, self.salt)
            bins = np.where(array == self.mask_value, 0, bins)
        return run_alone(self._calls_on_data, [bins], "host", self._encode)
