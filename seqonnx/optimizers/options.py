"""Arguments that every optimizer takes, named once for those that hand them on (`**common`)."""

from __future__ import annotations

from typing import TypedDict


class BasicOptimizerOptions(TypedDict, total=False):
    """Options that an optimizer with a `weight_decay` of its own hands on to `Optimizer`."""

    name: str | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None


class OptimizerOptions(BasicOptimizerOptions, total=False):
    """Arguments of `Optimizer` beside the learning rate."""

    weight_decay: float | None
