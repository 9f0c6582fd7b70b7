"""Keras's `backend`: the names that scripts take from it."""

from __future__ import annotations

from seqonnx.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from seqonnx.dtypes import is_float_dtype, is_int_dtype
from seqonnx.dtypes import standardize as standardize_dtype
from seqonnx.graph import clear_session, get_uid
from seqonnx.ops.promotion import result_type
from seqonnx.symbolic.origins import is_keras_tensor

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]


def __dir__() -> list[str]:
    return sorted(__all__)
