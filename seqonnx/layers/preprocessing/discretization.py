"""Discretization: numbers become the number of the bin that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.dtypes import DTypePolicy
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.preprocessing.adapting import batches_in
from seqonnx.layers.preprocessing.categories import check_dense, check_mode, encode
from seqonnx.layers.preprocessing.quantiles import EMPTY, boundaries, merge, summarize
from seqonnx.layers.setting import Setting

_MODES = ("int", "one_hot", "multi_hot", "count")
_WIDE = {ir.DataType.INT32, ir.DataType.INT64, ir.DataType.UINT32, ir.DataType.UINT64}


def _floats(values: Any) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


@register("layer")
class Discretization(Layer):
    """The number of the bin that each number lies in: how many boundaries are not above it.

    The boundaries are given, or learned from data by `adapt`, so that as many samples lie in
    each bin. NaN lies in the last bin.

    Args:
        bin_boundaries: boundaries in ascending order; n of them make n + 1 bins.
        num_bins: number of bins to learn, in place of the boundaries.
        epsilon: how exact the learned boundaries are, as a share of the samples.
        output_mode: `"int"` (int32 numbers of bins), or the bins as vectors: `"one_hot"`,
            `"multi_hot"` and `"count"` (see `CategoryEncoding`).
        sparse: must be False: ONNX Runtime computes with dense tensors.
        dtype: see `Layer`; the dtype of the vectors.
        name: see `Layer`.

    Raises:
        ValueError: if not exactly one of `bin_boundaries` and `num_bins` is given, or an argument
            is not one of those named.

    Example:
        >>> Discretization([0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]]).tolist()
        [[0, 2, 3, 1]]
    """

    bin_boundaries: Setting[list[float] | None] = Setting(_floats)
    output_mode: Setting[str] = Setting()

    autocast = False  # integers are compared as they are

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: str | DTypePolicy | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.sparse = check_dense(sparse)
        self.output_mode = check_mode(output_mode, _MODES, type(self).__name__)
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"`num_bins` must be greater than or equal to 0. Received: `num_bins={num_bins}`"
            )
        if num_bins is not None and bin_boundaries is not None:
            raise ValueError(
                "Both `num_bins` and `bin_boundaries` should not be set. Received: "
                f"`num_bins={num_bins}` and `bin_boundaries={bin_boundaries}`"
            )
        if num_bins is None and bin_boundaries is None:
            raise ValueError("You need to set either `num_bins` or `bin_boundaries`.")
        self.num_bins = dtypes.plain_value(num_bins)
        self.epsilon = dtypes.plain_value(epsilon)
        self.bin_boundaries = bin_boundaries
        self._summary = EMPTY

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the boundaries from data, in place of those of before.

        Args:
            data: an array; or what yields batches of numbers: a list, a generator, a data loader,
                a `PyDataset`. A batch that is a tuple stands for its first part.
            steps: number of batches to take from what yields batches; None for all.

        Raises:
            ValueError: if the boundaries were given, or there is no data.
        """
        self.reset_state()
        for batch in batches_in(data, self.name, steps=steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take in one batch of numbers, of any shape."""
        self._check_learns()
        array = dtypes.to_array(data, "float32", "data")
        if array.size > 0:
            summary = summarize(array, self.epsilon)
            self._summary = merge(summary, self._summary, self.epsilon)

    def finalize_state(self) -> None:
        """Set the boundaries by what was taken in."""
        self._check_learns()
        if self._summary.shape[1] == 0:
            raise ValueError(
                f"Layer '{self.name}' cannot adapt to no data. Expected at least one number."
            )
        found = boundaries(self._summary, self.num_bins)
        self._check_size(len(found))
        self.bin_boundaries = found

    def reset_state(self) -> None:
        """Forget what was taken in."""
        self._check_learns()
        self._summary = EMPTY

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a comparison with each boundary, and the sum of those that are not above."""
        if self.bin_boundaries is None and not op.shapes_only:
            raise ValueError(
                "You need to either pass the `bin_boundaries` argument at construction time or "
                "call `adapt(dataset)` before you can start using the `Discretization` layer."
            )
        x = op.cast(x, "float64" if x.dtype in _WIDE else dtypes.widened(self.compute_dtype))
        known = self.bin_boundaries or [0.0] * ((self.num_bins or 1) - 1)
        given = np.asarray(known, np.float32)
        limits = op.CastLike(op.constant(given, "boundaries"), x)
        below = op.Not(op.Less(op.Unsqueeze(x, [-1]), limits))
        numbers = op.ReduceSum(op.cast(below, "int32"), [-1], keepdims=0)
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(op, numbers, self.output_mode, len(given) + 1, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; boundaries that were learned are among them."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from its configuration, with the boundaries that it learned."""
        learned = None
        if config.get("bin_boundaries") is not None and config.get("num_bins") is not None:
            config = dict(config)
            learned = config.pop("bin_boundaries")
        layer = super().from_config(config)
        if learned is not None:
            layer.bin_boundaries = learned
        return layer

    def _check_learns(self) -> None:
        if self.num_bins is None:
            raise ValueError(
                "Cannot adapt a Discretization layer that has been initialized with "
                "`bin_boundaries`, use `num_bins` instead."
            )

    def _check_size(self, count: int) -> None:
        """Refuse another number of bins where the layers after this one count on it."""
        before = self.bin_boundaries
        fixed = before is not None and self.output_mode != "int" and len(self._calls) > 0
        if fixed and before is not None and len(before) != count:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}`, the number of bins cannot be "
                f"changed after the layer is called. Old number is {len(before) + 1}, new number "
                f"is {count + 1}"
            )
