"""Keras's `mixed_precision`: the dtype policy and the loss scale."""

from __future__ import annotations

from seqonnx.config import dtype_policy, set_dtype_policy
from seqonnx.config import dtype_policy as global_policy
from seqonnx.config import set_dtype_policy as set_global_policy
from seqonnx.dtypes import DTypePolicy
from seqonnx.dtypes import DTypePolicy as Policy
from seqonnx.optimizers import LossScaleOptimizer

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]


def __dir__() -> list[str]:
    return sorted(__all__)
