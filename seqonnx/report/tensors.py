"""Dtypes, sizes, and which stored tensors are parameters.

A parameter is a number that the file stores and the model computes with. A stored tensor counts,
be it an initializer or the value of a `Constant` node, if

- it has rank >= 1 (a scalar is a setting: an epsilon, an exponent, a limit),
- its type is floating point or a quantised one (8 bits or fewer), or it is the 32-bit bias of a
  quantised operator; 32- and 64-bit integers, booleans and strings are shapes, axes, indices,
- some operator reads it as data, not as a setting (`scales` of Resize, scale of DequantizeLinear).

Tensors that the graph computes (ConstantOfShape, random initialisers) are not stored, so they are
not parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod

from onnx import TensorProto, TensorShapeProto, TypeProto

from seqonnx.report.polynomial import GraphShape

_RENAMED = {"FLOAT": "float32", "DOUBLE": "float64", "UNDEFINED": "?"}
_NARROW_BITS = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2}
_BITS = {
    "float64": 64, "int64": 64, "uint64": 64, "complex64": 64, "complex128": 128,
    "float32": 32, "int32": 32, "uint32": 32,
    "float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16,
    "int8": 8, "uint8": 8, "bool": 8,
    **_NARROW_BITS,
}  # fmt: skip

_QUANTISED = frozenset({"int8", "uint8", *_NARROW_BITS})

_SETTINGS: dict[str, frozenset[int]] = {
    "Resize": frozenset({1, 2, 3}),
    "Upsample": frozenset({1}),
    "OneHot": frozenset({1, 2}),
    "NonMaxSuppression": frozenset({2, 3, 4}),
    "QuantizeLinear": frozenset({1, 2}),
    "DequantizeLinear": frozenset({1, 2}),
    "QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "QLinearMatMul": frozenset({1, 2, 4, 5, 6, 7}),
    "ConvInteger": frozenset({2, 3}),
    "MatMulInteger": frozenset({2, 3}),
}
"""Inputs that set how an operator works, by operator and input index."""

_WIDE_BIAS = {("QLinearConv", 8), ("DequantizeLinear", 0)}


@cache
def dtype_name(data_type: int) -> str:
    """Return the NumPy-style name of an ONNX dtype: 1 is `float32`, 0 is `?`."""
    try:
        name = str(TensorProto.DataType.Name(data_type))
    except ValueError:
        return "?"
    return _RENAMED.get(name, name.lower())


def bits(dtype: str) -> int | None:
    """Return the bits of one element; None for strings and unknown types."""
    return 8 if dtype.startswith("float8") else _BITS.get(dtype)


def byte_size(data_type: int, dims: Sequence[int]) -> int:
    """Return the bytes of a stored tensor, narrow types packed; 0 for strings."""
    return (prod(max(dim, 0) for dim in dims) * (bits(dtype_name(data_type)) or 0) + 7) // 8


def is_parameter(data_type: int, rank: int, op_type: str, index: int) -> bool:
    """Whether a stored tensor is a parameter as input number `index` of an `op_type` node."""
    dtype = dtype_name(data_type)
    if rank == 0 or index in _SETTINGS.get(op_type, ()):
        return False
    if "float" in dtype or dtype in _QUANTISED:
        return True
    return dtype == "int32" and (op_type, index) in _WIDE_BIAS


def describe_type(type_: TypeProto) -> tuple[str, GraphShape]:
    """Return `(dtype, shape)` of a value; containers read `sequence(float32)`, without a shape."""
    kind = type_.WhichOneof("value")
    wrappers = []
    while kind in {"sequence_type", "optional_type", "map_type"}:
        wrappers.append(kind.removesuffix("_type"))
        inner = getattr(type_, kind)
        type_ = inner.value_type if kind == "map_type" else inner.elem_type
        kind = type_.WhichOneof("value")
    if kind not in {"tensor_type", "sparse_tensor_type"}:
        return "?", None
    tensor = getattr(type_, kind)
    dtype = dtype_name(tensor.elem_type)
    for wrapper in reversed(wrappers):
        dtype = f"{wrapper}({dtype})"
    if wrappers or not tensor.HasField("shape"):
        return dtype, None
    return dtype, tuple(_dim(dim) for dim in tensor.shape.dim)


def _dim(dim: TensorShapeProto.Dimension) -> int | str | None:
    """Read one dimension; inference makes it negative where a kernel exceeds its input."""
    if dim.WhichOneof("value") == "dim_value":
        return max(dim.dim_value, 0)
    return dim.dim_param or None
