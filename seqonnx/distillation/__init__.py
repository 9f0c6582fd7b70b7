"""Distillation: a small model learns from what a large one says, as well as from the targets."""

from __future__ import annotations

from seqonnx.distillation.distiller import Distiller
from seqonnx.distillation.losses import (
    DistillationLoss,
    FeatureDistillation,
    LogitsDistillation,
)

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]


def __dir__() -> list[str]:
    return __all__
