"""Functions of tensors by Keras's names.

On symbolic tensors they become nodes of the layer graph, in a `call` that works on tensors they
emit, on arrays they compute.
"""

from seqonnx.ops.arithmetic import (
    absolute,
    add,
    divide,
    floor_divide,
    matmul,
    mod,
    multiply,
    negative,
    power,
    subtract,
)
from seqonnx.ops.comparison import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from seqonnx.ops.indexing import get_item

__all__ = [
    "absolute",
    "add",
    "divide",
    "equal",
    "floor_divide",
    "get_item",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matmul",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "subtract",
]


def __dir__() -> list[str]:
    return __all__
