"""Counts of true and false positives and negatives, over one threshold or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, auto_name
from seqonnx.metrics.base import Metric, Result, State, Values
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
        dtype: element type of the accumulators; default float32.

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
        super().__init__(auto_name(type(self).__name__) if name is None else name, dtype)
        self.kept = tuple(kept)
        self.thresholds = _levels(thresholds, 0.5 if top_k is None else _NEVER)
        self.init_thresholds = _plain(thresholds)
        self.top_k = top_k
        self.class_id = class_id

    def variables(self) -> dict[str, npt.NDArray[Any]]:
        """Return the counts, one per threshold, all 0."""
        return self._zeros(*self.kept, shape=(len(self.thresholds),))

    def update(
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
            index = np.array(self.class_id, np.int64)
            y_true, y_pred = (op.Gather(v, index, axis=-1) for v in (y_true, y_pred))
        counts = count_decisions(op, y_true, y_pred, self.thresholds, sample_weight, self.kept)
        return {
            name: op.Add(state[name], to_type_of(op, counts[name], state[name]))
            for name in self.kept
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(ConfusionMetric):
    """Of what was predicted positive, the part that is: tp / (tp + fp); 0 where there is nothing.

    Args:
        thresholds: see `ConfusionMetric`; several give an array of results.
        top_k: see `ConfusionMetric`.
        class_id: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1])  # doctest: +ELLIPSIS
        0.666666...
    """

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__((TP, FP), thresholds, top_k, class_id, name, dtype)

    def compute(self, state: State) -> Result:
        """Return the precision, one per threshold."""
        return _one_or_all(ratio(state[TP], state[TP] + state[FP]))


class Recall(ConfusionMetric):
    """Of what is positive, the part that was found: tp / (tp + fn); 0 where there is nothing.

    Args:
        thresholds: see `ConfusionMetric`; several give an array of results.
        top_k: see `ConfusionMetric`.
        class_id: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> Recall()([0, 1, 1, 1], [1, 0, 1, 1])  # doctest: +ELLIPSIS
        0.666666...
    """

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__((TP, FN), thresholds, top_k, class_id, name, dtype)

    def compute(self, state: State) -> Result:
        """Return the recall, one per threshold."""
        return _one_or_all(ratio(state[TP], state[TP] + state[FN]))


class _Count(ConfusionMetric):
    """The number (or summed weight) of one kind of decision."""

    kind = ""

    def __init__(
        self, thresholds: Thresholds = None, name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__((self.kind,), thresholds, name=name, dtype=dtype)

    def compute(self, state: State) -> Result:
        return _one_or_all(np.array(state[self.kind]))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """How many positives were predicted positive.

    Args:
        thresholds: see `ConfusionMetric`.
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
        2.0
    """

    kind = TP


class FalsePositives(_Count):
    """How many negatives were predicted positive; arguments as `TruePositives`."""

    kind = FP


class TrueNegatives(_Count):
    """How many negatives were predicted negative; arguments as `TruePositives`."""

    kind = TN


class FalseNegatives(_Count):
    """How many positives were predicted negative; arguments as `TruePositives`."""

    kind = FN


def count_decisions(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    thresholds: Sequence[float],
    sample_weight: ir.Value | None,
    kept: Sequence[str],
) -> dict[str, ir.Value]:
    """Emit the weighted counts of decisions `y_pred > threshold` in a batch.

    Args:
        op: emitter of the graph.
        y_true: labels, not 0 where positive, with the shape of `y_pred`.
        y_pred: scores.
        thresholds: T numbers.
        sample_weight: one number, or weights of shape `(batch,)` or that of `y_pred`.
        kept: which counts are wanted.

    Returns:
        For each of `kept` a value of shape `(T,)`.
    """
    levels = np.asarray(thresholds, y_pred.dtype.numpy() if y_pred.dtype else np.float32)[:, None]
    above = to_type_of(op, op.Greater(op.Reshape(y_pred, [1, -1]), levels), y_pred)
    positive = to_type_of(op, op.Cast(y_true, to=int(ir.DataType.BOOL)), y_pred)
    sides = {TP: positive, FP: op.Sub(1.0, positive)}
    if sample_weight is not None:
        weight = spread_weights(op, to_type_of(op, sample_weight, y_pred), y_pred)
        sides = {name: op.Mul(side, weight) for name, side in sides.items()}
    counts: dict[str, ir.Value] = {}
    for name, missed in ((TP, FN), (FP, TN)):
        found = op.Squeeze(op.MatMul(above, op.Reshape(sides[name], [-1, 1])), [-1])
        if name in kept:
            counts[name] = found
        if missed in kept:
            counts[missed] = op.Sub(op.ReduceSum(sides[name], keepdims=0), found)
    return counts


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
