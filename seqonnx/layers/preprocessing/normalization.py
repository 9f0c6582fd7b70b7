"""Normalization: features with mean 0 and variance 1, by statistics of the whole data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable, assign_together
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.preprocessing.adapting import batches_in, is_one_array
from seqonnx.layers.setting import Setting

_EPSILON = 1e-7
_ROWS = 1 << 16
"""Samples of an array whose moments are taken at once."""


def _axes(axis: Any) -> tuple[int, ...]:
    if axis is None:
        return ()
    return (axis,) if isinstance(axis, int) else tuple(axis)


@register("layer")
class Normalization(Layer):
    """(x - mean) / sqrt(variance), with one mean and variance for each place along `axis`.

    Mean and variance are given, or learned from data by `adapt`; until then they are 0 and 1.
    They are weights of the layer, which training does not change. The standard deviation counts
    as at least 1e-7.

    Args:
        axis: axis, or axes, whose places have statistics of their own; None for one mean and one
            variance in all. The batch is axis 0.
        mean: mean values, of a shape that broadcasts to the sizes of `axis`.
        variance: variances of the same shape.
        invert: whether to do the opposite: x * sqrt(variance) + mean.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if only one of `mean` and `variance` is given, or their shapes do not fit.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
        >>> layer(np.array([[1.0, 30.0]])).tolist()
        [[-1.0, 1.0]]
    """

    axis: Setting[tuple[int, ...]] = Setting(_axes, until_built=True)
    invert: Setting[bool] = Setting(bool)

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: npt.ArrayLike | None = None,
        variance: npt.ArrayLike | None = None,
        invert: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.invert = invert
        self.input_mean = dtypes.plain_value(mean)
        self.input_variance = dtypes.plain_value(variance)
        self._check_given()
        self._build_shape: tuple[int | None, ...] = ()
        self._kept: tuple[int, ...] = ()
        self._statistics: list[Variable] = []

    def _check_given(self) -> None:
        """Refuse statistics that do not fit each other or the axes."""
        mean, variance = self.input_mean, self.input_variance
        if (mean is None) != (variance is None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. "
                f"Received: mean={mean} and variance={variance}"
            )
        if mean is None:
            return
        shape = np.shape(mean)
        if shape != np.shape(variance):
            raise ValueError(
                "When setting values directly, `mean` and `variance` must have the same shape. "
                f"Received: mean shape {shape} and variance shape {np.shape(variance)}"
            )
        if len(shape) > len(self.axis):
            raise ValueError(
                "The rank of `mean` must be less than or equal to the number of axes "
                f"({len(self.axis)}). Received: mean shape {shape} for axis {self.axis}"
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Declare the statistics, where they are not given."""
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(
                "All `axis` values must be in the range [-ndim, ndim). "
                f"Received inputs with ndim={rank}, while axis={self.axis}"
            )
        kept = tuple(sorted(axis % rank for axis in self.axis))
        for axis in kept:
            if input_shape[axis] is None:
                raise ValueError(
                    "All `axis` values to be kept must have a known shape. "
                    f"Received axis={self.axis}, inputs.shape={input_shape}, with unknown axis at "
                    f"index {axis}"
                )
        self._build_shape, self._kept = tuple(input_shape), kept
        if self.input_mean is not None:
            self._given(self.input_mean)
            return
        shape = [input_shape[axis] for axis in kept]
        self._statistics = [
            self.add_weight(shape, "zeros", trainable=False, name="mean"),
            self.add_weight(shape, "ones", trainable=False, name="variance"),
        ]
        # Keras's layer has it, too, and never counts; files of weights hold it.
        self.add_weight((), "zeros", "int32", trainable=False, name="count")

    @property
    def mean(self) -> Variable | None:
        """The mean as it is now, in a shape that broadcasts to the inputs; None before building."""
        return self._shown(0, self.input_mean)

    @property
    def variance(self) -> Variable | None:
        """The variance as it is now, in a shape that broadcasts; None before building."""
        return self._shown(1, self.input_variance)

    def adapt(self, data: Any) -> None:
        """Learn mean and variance from data, in place of those of before.

        Args:
            data: an array; or what yields batches of it: a list of arrays, a generator, a data
                loader, a `PyDataset`. A batch that is a tuple stands for its first part.

        Raises:
            ValueError: if the data does not fit the layer, there is none, or the layer was given
                its statistics.
            TypeError: if the data is neither an array nor an iterable of arrays.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer '{self.name}' was given `mean` and `variance`, so it cannot adapt. Leave "
                "them out to learn them from data."
            )
        moments: _Moments | None = None
        alone = is_one_array(data) and 0 not in self._kept_of(np.ndim(data))
        for batch in batches_in(data, self.name, rows=_ROWS if alone else None):
            array = self._batch(batch)
            if moments is None:
                self._build_for(array.shape)
                moments = _Moments(axis for axis in range(array.ndim) if axis not in self._kept)
            self._check_batch(array.shape)
            moments.add(array)
        if moments is None or moments.count == 0:
            raise ValueError(
                "adapt() received an empty iterable (no batches). Expected at least one batch. "
                f"Received: data={data!r} for layer '{self.name}'"
            )
        found = zip(self._statistics, (moments.mean, moments.variance), strict=True)
        assign_together([(variable, variable._fitted(value)) for variable, value in found])

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the difference from the mean, divided by the standard deviation."""
        x = op.cast(x, self._working_dtype)
        if self.input_mean is None:
            shape = self._broadcast_shape
            mean, variance = (op.Reshape(value, shape) for value in self._statistics)
        else:
            given = (self._given(self.input_mean), self._given(self.input_variance))
            mean, variance = (op.cast(op.constant(value), self._working_dtype) for value in given)
        deviation = op.Max(op.Sqrt(variance), _EPSILON)
        if self.invert:
            return op.Add(mean, op.Mul(x, deviation))
        return op.Div(op.Sub(x, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; what was learned is in the weights."""
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return super().get_config() | given

    @property
    def _working_dtype(self) -> str:
        """At least float32: values far from 0 lose too much in 16 bits."""
        return dtypes.widened(self.compute_dtype)

    @property
    def _broadcast_shape(self) -> list[int]:
        """Sizes of the statistics, with 1 for the axes that share them."""
        sizes = enumerate(self._build_shape)
        return [int(size or 0) if axis in self._kept else 1 for axis, size in sizes]

    def _kept_of(self, rank: int) -> set[int]:
        return {axis % rank for axis in self.axis} if rank > 0 else set()

    def _given(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """Given statistics in the shape that broadcasts: their axes are the last ones of `axis`."""
        array = np.asarray(values, np.float64)
        shape = [1] * len(self._build_shape)
        for axis, size in zip(reversed(self._kept), reversed(array.shape), strict=False):
            shape[axis] = size
        return np.broadcast_to(array.reshape(shape), self._broadcast_shape).astype(np.float32)

    def _shown(self, index: int, given: Any) -> Variable | None:
        """A statistic in the shape that broadcasts, as a variable of its own."""
        if len(self._build_shape) == 0:
            return None
        if given is not None:
            value = self._given(given).astype(self.dtype)
        else:
            value = self._statistics[index].numpy().reshape(self._broadcast_shape)
        return Variable(value, ("mean", "variance")[index], trainable=False)

    def _batch(self, batch: Any) -> npt.NDArray[Any]:
        """One batch as an array."""
        if getattr(batch, "shape", None) is None:
            raise TypeError(
                "adapt() expects an iterable that yields arrays or tensors with a `.shape` "
                "attribute (e.g. numpy arrays or backend tensors). Got an element of type "
                f"{type(batch).__name__}. Ensure each yielded element is array-like with a "
                "`.shape` attribute."
            )
        return dtypes.to_array(batch, None, "data")

    def _check_batch(self, shape: tuple[int, ...]) -> None:
        """Refuse a batch of other sizes than those that the layer was built for."""
        built = self._build_shape
        if len(shape) != len(built) or any(shape[a] != built[a] for a in self._kept):
            raise ValueError(
                f"The layer was built with input_shape={built}, but adapt() is being called with "
                f"data with an incompatible shape, data.shape={shape}"
            )


class _Moments:
    """Mean and variance of arrays that come one after the other.

    Two groups are joined as Chan, Golub and LeVeque do ("Updating formulae and a pairwise
    algorithm for computing sample variances", 1979), in float64.
    """

    def __init__(self, axes: Any) -> None:
        self._axes = tuple(axes)
        self.count = 0
        self.mean: Any = 0.0
        self._squares: Any = 0.0

    @property
    def variance(self) -> Any:
        return self._squares / self.count

    def add(self, array: npt.NDArray[Any]) -> None:
        count = math.prod(array.shape[axis] for axis in self._axes)
        if array.size == 0:
            return
        mean = array.mean(axis=self._axes, dtype=np.float64)
        variance = array.var(axis=self._axes, dtype=np.float64)
        before, self.count = self.count, self.count + count
        step = mean - self.mean
        self.mean = self.mean + step * (count / self.count)
        self._squares = self._squares + variance * count + step**2 * (before * count / self.count)
