"""Monitor: which metric a callback watches, and which of two values is the better one."""

from __future__ import annotations

import math
import re
import warnings
from typing import Final

import numpy as np

from seqonnx.callbacks.base import Logs

# A metric's name says whether more is better: by its words, or by a whole phrase.
_MAXIMIZED: Final = re.compile(
    r"(^|_)(acc|accuracy|auc|precision|recall|sensitivity|specificity|f1|fbeta|fmeasure|r2"
    r"|similarity|correlation|iou|io_u|true_positives|true_negatives)(_|$)"
)
_MINIMIZED: Final = re.compile(
    r"(^|_)(loss|error|mse|mae|mape|msle|rmse|crossentropy|hinge|poisson|divergence|kld"
    r"|logcosh|log_cosh|false_positives|false_negatives)(_|$)"
)


class Monitor:
    """A watched metric.

    Args:
        owner: name of the callback, for error messages.
        name: name of the metric in the logs, such as `"val_loss"`.
        mode: `"min"`, `"max"`, or `"auto"` to tell it from the name.
        min_delta: smallest change that counts as an improvement.

    Raises:
        ValueError: if `mode` is `"auto"` and the name does not tell.

    Example:
        >>> Monitor("EarlyStopping", "val_accuracy", "auto").improves(0.9, 0.8)
        True
    """

    def __init__(self, owner: str, name: str, mode: str, min_delta: float = 0.0) -> None:
        self.owner = owner
        self.name = name
        self.min_delta = abs(min_delta)
        if mode not in {"auto", "min", "max"}:
            warnings.warn(f"{owner} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        self.maximize = _maximized(owner, name) if mode == "auto" else mode == "max"

    def value(self, logs: Logs | None, otherwise: str) -> float | None:
        """The metric's value; None, with a warning that starts `otherwise`, if it is absent.

        Raises:
            ValueError: if the metric has several values.
        """
        logs = logs or {}
        value = logs.get(self.name)
        if value is None:
            warnings.warn(
                f"{otherwise} `{self.name}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
            return None
        if np.size(value) != 1:
            raise ValueError(
                f"{self.owner} watches one number, but the metric `{self.name}` has "
                f"{np.size(value)} values: {value}. Watch a metric of one number, such as "
                "`F1Score(average='macro')` or `Precision(thresholds=0.5)`."
            )
        return float(np.reshape(value, ()))

    def improves(self, value: float, best: float | None) -> bool:
        """Whether `value` is better than `best` by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        if self.maximize:
            return value - self.min_delta > best
        return value + self.min_delta < best


def _maximized(owner: str, name: str) -> bool:
    """Whether more of this metric is better."""
    more, less = _MAXIMIZED.search(name) is not None, _MINIMIZED.search(name) is not None
    if more == less:
        raise ValueError(
            f"{owner} cannot tell from the name whether monitor='{name}' should be maximized or "
            "minimized. Pass `mode='max'` if higher values are better, `mode='min'` if lower ones."
        )
    return more
