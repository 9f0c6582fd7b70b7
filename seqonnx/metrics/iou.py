"""Intersection over union of classes, from a matrix of targets and predictions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, current_trace, static_shape
from seqonnx.metrics.base import Held, Result, State, Values
from seqonnx.metrics.confusion import ratio
from seqonnx.metrics.metric import Metric
from seqonnx.objectives import spread_weights, to_type_of

_MATRIX: Final = "total_confusion_matrix"
_INT64: Final = int(ir.DataType.INT64)


@register("metric", "io_u")
class IoU(Metric):
    """The mean, over some classes, of tp / (tp + fp + fn).

    Classes that neither targets nor predictions have do not count. Labels that are no class, and
    samples of `ignore_class`, are left out.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes of the mean.
        name: name shown and logged; default: the class name in snake case, numbered.
        dtype: dtype of the counts; default int32. Sample weights are cast to it: pass
            `"float32"` for weights that are no integers.
        ignore_class: label whose samples are left out, such as -1 or 255.
        sparse_y_true: whether targets are labels, and not scores or one-hot rows.
        sparse_y_pred: whether predictions are labels, and not scores.
        axis: axis of the classes in scores.

    Raises:
        ValueError: if a class is not one of the `num_classes`.

    Example:
        >>> metric = IoU(num_classes=2, target_class_ids=[0])
        >>> metric([0, 0, 1, 1], [0, 1, 0, 1])  # doctest: +ELLIPSIS
        0.333333...
    """

    total_cm = Held(_MATRIX)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__("int32" if dtype in {None, "int"} else dtype, name)
        wrong = [label for label in target_class_ids if not 0 <= label < num_classes]
        if len(wrong) > 0:
            raise ValueError(
                f"Target class id {wrong[0]} is out of range, which is [0, {num_classes})."
            )
        self.num_classes = num_classes
        self.target_class_ids = [int(label) for label in target_class_ids]
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the number of samples by target and prediction, all 0."""
        return self._zeros(_MATRIX, shape=(self.num_classes, self.num_classes))

    def update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> Mapping[str, ir.Value]:
        """Emit the matrix after a batch; see `Metric`."""
        if sample_weight is not None:
            self._warn_of_weights()
        return super().update(op, state, y_true, y_pred, sample_weight)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Accumulate a batch; see `Metric`."""
        if current_trace() is None and sample_weight is not None:
            weights = dtypes.to_array(sample_weight, "float32", "sample_weight")
            if np.any(weights != np.trunc(weights)):
                self._warn_of_weights()
        super().update_state(y_true, y_pred, sample_weight)

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the matrix after a batch."""
        matrix = state[_MATRIX]
        y_true = self._labels(op, y_true, self.sparse_y_true)
        y_pred = self._labels(op, y_pred, self.sparse_y_pred)
        true, pred = (op.Reshape(labels, [-1]) for labels in (y_true, y_pred))
        known = op.And(self._known(op, true), self._known(op, pred))
        if self.ignore_class is not None:
            known = op.And(known, op.Not(op.Equal(true, self.ignore_class)))
        weight = to_type_of(op, known, matrix)
        if sample_weight is not None:
            given = to_type_of(op, sample_weight, matrix)
            if not _one_each(given, true):
                given = op.Expand(spread_weights(op, given, y_true), op.Shape(y_true))
            weight = op.Mul(weight, op.Reshape(given, [-1]))
        place = op.Where(known, op.Add(op.Mul(true, self.num_classes), pred), 0)
        flat = op.Reshape(matrix, [-1])
        counted = op.ScatterElements(flat, place, weight, axis=0, reduction="add")
        return {_MATRIX: op.Reshape(counted, [self.num_classes, self.num_classes])}

    def _labels(self, op: Emitter, given: ir.Value, sparse: bool) -> ir.Value:
        """Labels as integers."""
        if not sparse:
            if given.dtype == ir.DataType.BOOL:
                given = op.Cast(given, to=int(ir.DataType.FLOAT))
            given = op.ArgMax(given, axis=self.axis, keepdims=0)
        return op.Cast(given, to=_INT64)

    def _known(self, op: Emitter, labels: ir.Value) -> ir.Value:
        """Where labels are classes."""
        return op.And(op.GreaterOrEqual(labels, 0), op.Less(labels, self.num_classes))

    def _warn_of_weights(self) -> None:
        """Warn that weights are cast to integers."""
        if not dtypes.is_float(self.dtype):
            warnings.warn(
                f"Metric {self.name} counts in {self.dtype}: sample weights lose what is behind "
                'the point. Pass `dtype="float32"` to the metric for such weights.',
                stacklevel=3,
            )

    def _compute(self, state: State) -> Result:
        """Return the mean over those of the classes that occur."""
        matrix = np.asarray(state[_MATRIX], np.float64)
        hits = np.diag(matrix)[self.target_class_ids]
        both = (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))[self.target_class_ids]
        return float(ratio(ratio(hits, both).sum(), np.array((both > 0).sum())))


def _one_each(weight: ir.Value, labels: ir.Value) -> bool:
    """Whether there is a weight for each label, in any shape."""
    shapes = [static_shape(value) for value in (weight, labels)]
    known = [[size for size in shape if isinstance(size, int)] for shape in shapes]
    return list(map(len, shapes)) == list(map(len, known)) and len(set(map(math.prod, known))) == 1


@register("metric", "binary_io_u")
class BinaryIoU(IoU):
    """Intersection over union of the classes 0 and 1, of scores with a threshold.

    Args:
        target_class_ids: the classes of the mean: `[0]`, `[1]` or both.
        threshold: a score that is not below it means 1.
        name: name shown and logged.
        dtype: dtype of the counts; see `IoU`.

    Example:
        >>> metric = BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
        >>> metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])  # doctest: +ELLIPSIS
        0.333333...
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = float(threshold)

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the matrix after a batch."""
        label = op.GreaterOrEqual(y_pred, self.threshold)
        return super()._update(op, state, y_true, label, sample_weight)


@register("metric", "mean_io_u")
class MeanIoU(IoU):
    """The mean, over all classes that occur, of tp / (tp + fp + fn).

    Args:
        num_classes: how many classes there are.
        name: name shown and logged.
        dtype: dtype of the counts; see `IoU`.
        ignore_class: see `IoU`.
        sparse_y_true: see `IoU`.
        sparse_y_pred: see `IoU`.
        axis: see `IoU`.

    Example:
        >>> MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])  # doctest: +ELLIPSIS
        0.333333...
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        sparse = (sparse_y_true, sparse_y_pred)
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, *sparse, axis)


@register("metric", "one_hot_io_u")
class OneHotIoU(IoU):
    """Intersection over union of some classes, for one-hot targets.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes of the mean.
        name: name shown and logged.
        dtype: dtype of the counts; see `IoU`.
        ignore_class: see `IoU`.
        sparse_y_pred: whether predictions are labels, and not scores.
        axis: axis of the classes.

    Example:
        >>> metric = OneHotIoU(num_classes=2, target_class_ids=[1])
        >>> metric([[1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4]])
        0.0
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        sparse = (False, sparse_y_pred)
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, *sparse, axis)


@register("metric", "one_hot_mean_io_u")
class OneHotMeanIoU(MeanIoU):
    """The mean intersection over union of all classes that occur, for one-hot targets.

    Args:
        num_classes: how many classes there are.
        name: name shown and logged.
        dtype: dtype of the counts; see `IoU`.
        ignore_class: see `IoU`.
        sparse_y_pred: whether predictions are labels, and not scores.
        axis: axis of the classes.

    Example:
        >>> OneHotMeanIoU(num_classes=2)([[1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4]])
        0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
