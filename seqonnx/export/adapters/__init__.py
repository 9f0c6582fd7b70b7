"""Adapters: how each operator that a lower operator set lacks, or reads otherwise, is said there.

An adapter is a function with `@adapter(operator, since)`: it takes a node that is right in operator
set `since`, and says the same in the set before. It may edit the node and return None, or emit what
takes its place. Where there is none, a node stays as it is if its schema says that it may
(`operator_set.py`).
"""

from seqonnx.export.adapters import (
    activations,
    attention,
    indexing,
    normalization,
    pooling,
    quantized,
    recurrent,
    reductions,
    shapes,
    signals,
)
from seqonnx.export.adapters.registry import ADAPTERS, NotInOperatorSetError

__all__ = [
    "ADAPTERS",
    "NotInOperatorSetError",
    "activations",
    "attention",
    "indexing",
    "normalization",
    "pooling",
    "quantized",
    "recurrent",
    "reductions",
    "shapes",
    "signals",
]
