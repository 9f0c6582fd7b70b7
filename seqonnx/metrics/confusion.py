"""Counts of true and false positives and negatives, over one threshold or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable, static_shape
from seqonnx.metrics.base import Held, Result, State, Values
from seqonnx.metrics.metric import Metric
from seqonnx.objectives import aligned, spread_weights, to_type_of

TP, FP, TN, FN = "true_positives", "false_positives", "true_negatives", "false_negatives"
_NEVER = -1e10
"""Score of a class that is not among the k best: below every threshold."""

Thresholds = float | Sequence[float] | None


class ConfusionMetric(Metric):
    """Base of metrics that count right and wrong decisions `y_pred > threshold`.

    Args:
        kept: which counts to keep, of `true_positives`, `false_positives`, `true_negatives`,
            `false_negatives`.
        thresholds: one number or several in [0, 1]; default 0.5.
        top_k: count only the k highest scores of the last axis as positive; then the default
            threshold is below every score.
        class_id: look only at this class of the last axis.
        name: name shown and logged; default: the class name in snake case, numbered.
        dtype: dtype of the accumulators; default float32.

    Raises:
        ValueError: if a threshold is not in [0, 1].
    """

    def __init__(
        self,
        kept: Sequence[str],
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        self._kept = tuple(kept)
        self.thresholds = list(_levels(thresholds, 0.5 if top_k is None else _NEVER))
        self.init_thresholds = _plain(thresholds)
        self.top_k = top_k
        self.class_id = class_id

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the counts, one per threshold, all 0."""
        return self._zeros(*self._kept, shape=(len(self.thresholds),))

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the counts after a batch."""
        y_true, y_pred = aligned(op, y_true, y_pred)
        if self.top_k is not None:
            y_pred = _only_best(op, y_pred, self.top_k)
        if self.class_id is not None:
            if len(static_shape(y_pred)) == 1:
                raise ValueError(
                    "When class_id is provided, y_pred must be a 2D array with shape "
                    f"(num_samples, num_classes), found shape: {static_shape(y_pred)}"
                )
            index = np.array(self.class_id, np.int64)
            y_true, y_pred = (op.Gather(v, index, axis=-1) for v in (y_true, y_pred))
        counts = self._count(op, y_true, y_pred, sample_weight)
        return {
            name: op.Add(state[name], to_type_of(op, counts[name], state[name]))
            for name in self._kept
        }

    def _count(
        self, op: Emitter, y_true: ir.Value, y_pred: ir.Value, sample_weight: ir.Value | None
    ) -> dict[str, ir.Value]:
        """Emit the counts of a batch by name."""
        weights = [sample_weight]
        return count_decisions(op, y_true, y_pred, self.thresholds, weights, self._kept)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"thresholds": self.init_thresholds}


class _Share(ConfusionMetric):
    """The true positives as a part of themselves and one kind of mistake."""

    true_positives = Held()
    _missed = ""

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__((TP, self._missed), thresholds, top_k, class_id, name, dtype)

    def _compute(self, state: State) -> Result:
        """Return the share, one per threshold."""
        return _one_or_all(ratio(state[TP], state[TP] + state[self._missed]))


@register("metric", "precision")
class Precision(_Share):
    """Of what was predicted positive, the part that is: tp / (tp + fp); 0 where there is nothing.

    Args:
        thresholds: see `ConfusionMetric`; several give an array of results.
        top_k: see `ConfusionMetric`.
        class_id: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])  # doctest: +ELLIPSIS
        0.666666...
    """

    false_positives = Held()
    _missed = FP


@register("metric", "recall")
class Recall(_Share):
    """Of what is positive, the part that was found: tp / (tp + fn); 0 where there is nothing.

    Args:
        thresholds: see `ConfusionMetric`; several give an array of results.
        top_k: see `ConfusionMetric`.
        class_id: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])  # doctest: +ELLIPSIS
        0.666666...
    """

    false_negatives = Held()
    _missed = FN


class _Count(ConfusionMetric):
    """The number (or summed weight) of one kind of decision."""

    _kind = ""

    @property
    def accumulator(self) -> Variable:
        """The count, one per threshold."""
        return self._accumulators()[self._kind]

    def __init__(
        self, thresholds: Thresholds = None, name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__((self._kind,), thresholds, name=name, dtype=dtype)

    def _compute(self, state: State) -> Result:
        return _one_or_all(np.array(state[self._kind]))


@register("metric", "true_positives")
class TruePositives(_Count):
    """How many positives were predicted positive.

    Args:
        thresholds: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
        2.0
    """

    _kind = TP


@register("metric", "false_positives")
class FalsePositives(_Count):
    """How many negatives were predicted positive; arguments as `TruePositives`."""

    _kind = FP


@register("metric", "true_negatives")
class TrueNegatives(_Count):
    """How many negatives were predicted negative; arguments as `TruePositives`."""

    _kind = TN


@register("metric", "false_negatives")
class FalseNegatives(_Count):
    """How many positives were predicted negative; arguments as `TruePositives`."""

    _kind = FN


def count_decisions(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    thresholds: Sequence[float],
    weights: Sequence[ir.Value | None],
    kept: Sequence[str],
    *,
    by_column: bool = False,
) -> dict[str, ir.Value]:
    """Emit the weighted counts of decisions `y_pred > threshold` in a batch.

    Args:
        op: emitter of the graph.
        y_true: labels, not 0 where positive, with the shape of `y_pred`.
        y_pred: scores.
        thresholds: T numbers.
        weights: each one number, or weights of shape `(batch,)` or that of `y_pred`.
        kept: which counts are wanted.
        by_column: whether the scores have shape `(batch, L)`, and each column is counted alone.

    Returns:
        For each of `kept` a value of shape `(T,)`, or `(T, L)` by column.
    """
    levels = np.asarray(thresholds, y_pred.dtype.numpy() if y_pred.dtype else np.float32)[:, None]
    if by_column:
        scores = op.Unsqueeze(op.Transpose(y_pred, perm=[1, 0]), [1])
    else:
        scores = op.Reshape(y_pred, [1, -1])
    above = to_type_of(op, op.Greater(scores, levels), y_pred)
    counts: dict[str, ir.Value] = {}
    sides = _sides(op, y_true, y_pred, weights)
    for name, missed in ((TP, FN), (FP, TN)):
        if by_column:
            column = op.Unsqueeze(op.Transpose(sides[name], perm=[1, 0]), [-1])
            found = op.Transpose(op.Squeeze(op.MatMul(above, column), [-1]), perm=[1, 0])
        else:
            found = op.Squeeze(op.MatMul(above, op.Reshape(sides[name], [-1, 1])), [-1])
        if name in kept:
            counts[name] = found
        if missed in kept:
            total = op.ReduceSum(sides[name], *([[0]] if by_column else []), keepdims=0)
            counts[missed] = op.Sub(total, found)
    return counts


def _sides(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, weights: Sequence[ir.Value | None]
) -> dict[str, ir.Value]:
    """The part of each score in the true and to the false positives, where it is one of them."""
    positive = to_type_of(op, op.Cast(y_true, to=int(ir.DataType.BOOL)), y_pred)
    sides = {TP: positive, FP: op.Sub(1.0, positive)}
    for given in weights:
        if given is not None:
            weight = spread_weights(op, to_type_of(op, given, y_pred), y_pred)
            sides = {name: op.Mul(side, weight) for name, side in sides.items()}
    return sides


def ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return part / whole in float64, 0 where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    quotient = np.zeros_like(part)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient


def _only_best(op: Emitter, y_pred: ir.Value, k: int) -> ir.Value:
    """Scores with all but the k highest of the last axis put below every threshold."""
    best, index = op.TopK(y_pred, [k], axis=-1, _outputs=2)
    floor = op.Add(op.Mul(y_pred, 0.0), _NEVER)
    return op.ScatterElements(floor, index, best, axis=-1)


def _levels(thresholds: Thresholds, default: float) -> tuple[float, ...]:
    """Thresholds as a tuple, checked."""
    if thresholds is None:
        return (default,)
    plain = _plain(thresholds)
    levels = tuple(plain) if isinstance(plain, list) else (float(plain or 0.0),)
    wrong = [level for level in levels if not 0.0 <= level <= 1.0]
    if wrong:
        raise ValueError(
            f"Argument `thresholds` must contain values in the range [0, 1]. Received: {wrong}"
        )
    return levels


def _plain(thresholds: Thresholds) -> float | list[float] | None:
    """Thresholds as they stand in a config."""
    if thresholds is None:
        return None
    if isinstance(thresholds, Sequence) or np.ndim(thresholds) > 0:
        return [float(level) for level in np.asarray(thresholds)]
    return float(thresholds)


def _one_or_all(results: npt.NDArray[Any]) -> Result:
    """A float for one threshold, an array for several."""
    return float(results[0]) if len(results) == 1 else results
