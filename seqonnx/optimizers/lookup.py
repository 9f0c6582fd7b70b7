"""Optimizers by name: what `compile(optimizer=...)` accepts."""

from __future__ import annotations

from typing import Any, Final

from seqonnx.dtypes import plain_value
from seqonnx.optimizers.adadelta import Adadelta
from seqonnx.optimizers.adagrad import Adagrad
from seqonnx.optimizers.adam import Adam, AdamW
from seqonnx.optimizers.adamax import Adamax
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.ftrl import Ftrl
from seqonnx.optimizers.lion import Lion
from seqonnx.optimizers.loss_scale_optimizer import LossScaleOptimizer
from seqonnx.optimizers.nadam import Nadam
from seqonnx.optimizers.rmsprop import RMSprop
from seqonnx.optimizers.sgd import SGD

NAMES: Final[dict[str, type[Optimizer]]] = {
    cls.__name__.lower(): cls
    for cls in (Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Lion, Nadam, RMSprop, SGD)
}
"""Every optimizer by its name in lower case."""


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that an identifier means.

    Args:
        identifier: a name in any case (`"adam"`, `"RMSprop"`), an `Optimizer` or a subclass of
            it, or a config (`{"class_name": ..., "config": {...}}`).

    Returns:
        The optimizer.

    Raises:
        ValueError: if it means none.

    Example:
        >>> type(get("rmsprop")).__name__
        'RMSprop'
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str) and identifier.lower() in NAMES:
        return NAMES[identifier.lower()]()
    if isinstance(identifier, dict) and identifier.get("class_name") == LossScaleOptimizer.__name__:
        return LossScaleOptimizer.from_config(identifier.get("config", {}))
    if isinstance(identifier, dict) and str(identifier.get("class_name")).lower() in NAMES:
        cls = NAMES[str(identifier["class_name"]).lower()]
        return cls.from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    raise ValueError(
        f"Could not interpret optimizer identifier: {identifier}. Expected an Optimizer or one "
        f"of {', '.join(sorted(NAMES))}."
    )


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal optimizer."""
    return {"class_name": type(optimizer).__name__, "config": plain_value(optimizer.get_config())}
