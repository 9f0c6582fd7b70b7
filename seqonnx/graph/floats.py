"""The dtypes that a gradient can pass."""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

FLOATS: Final = frozenset(
    {ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE}
)
"""Numbers with a fraction, of which the standard has operators that compute."""
