"""Batch renormalization: what makes a batch's statistics agree with the moving ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable
from seqonnx.initializers import Initializer
from seqonnx.ops.core import stop_gradient

LIMITS: Final = ("rmax", "rmin", "dmax")


class Renormalized(NamedTuple):
    """The weights of a layer that renormalizes.

    Args:
        moving_stddev: moving average of the standard deviation, from which the moving variance is.
        mean: moving average of the mean, with the momentum of the renormalization.
        stddev: the same for the standard deviation.
    """

    moving_stddev: Variable
    mean: Variable
    stddev: Variable


class Root(Initializer):
    """The square root of what another initializer gives.

    Args:
        initializer: the other.
    """

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Any:
        """Return a new value."""
        return np.sqrt(self.initializer.clone()(shape, dtype))


def checked_limits(clipping: Mapping[str, float] | None) -> dict[str, float]:
    """Return the limits of r and d.

    Args:
        clipping: the argument `renorm_clipping`.

    Raises:
        ValueError: for a limit that there is not, or limits that contradict each other.

    Example:
        >>> checked_limits({"rmax": 3, "dmax": None})
        {'rmax': 3}
    """
    limits = dict(plain_value(clipping or {}))
    if not set(limits) <= set(LIMITS):
        raise ValueError(
            f"Received invalid keys for `renorm_clipping` argument: {limits}. Supported values: "
            f"{list(LIMITS)}."
        )
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    if "rmax" in limits and "rmin" in limits and limits["rmax"] < limits["rmin"]:
        raise ValueError(
            "rmax should be greater than rmin in the `renorm_clipping` argument. Received: "
            f"rmax={limits['rmax']}, rmin={limits['rmin']}."
        )
    if limits.get("dmax", 0.0) < 0.0:
        raise ValueError(
            "dmax should be non-negative in the `renorm_clipping` argument. Received: "
            f"dmax={limits['dmax']}."
        )
    return limits


def correction(
    op: Emitter,
    weights: Renormalized,
    limits: Mapping[str, float],
    epsilon: float,
    mean: ir.Value,
    stddev: ir.Value,
) -> tuple[ir.Value, ir.Value]:
    """Emit r and d: a value x of the batch's normalization becomes r x + d (Ioffe, 2017).

    Both are constants of the training step: no gradient passes them.

    Args:
        op: emitter.
        weights: the moving averages.
        limits: limits of r and d.
        epsilon: added to the variance; its root is the least moving standard deviation.
        mean: mean of the batch, of shape (channels,).
        stddev: standard deviation of the batch.
    """
    divisor = op.Max(weights.stddev, float(np.sqrt(epsilon)))
    r, d = op.Div(stddev, divisor), op.Div(op.Sub(mean, weights.mean), divisor)
    if "rmin" in limits:
        r = op.Max(r, limits["rmin"])
    if "rmax" in limits:
        r = op.Min(r, limits["rmax"])
    if "dmax" in limits:
        d = op.Clip(d, -limits["dmax"], limits["dmax"])
    return stop_gradient(op, r), stop_gradient(op, d)
