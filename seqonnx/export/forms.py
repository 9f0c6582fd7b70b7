"""Forms of numbers in a file: legal values of `dtype` and `quantize`, and what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnx_ir as ir

OPSET_OF_INT4: Final = 21
"""The first operator set with integers of 4 bits, in blocks."""

FORMS: Final[Mapping[str, tuple[ir.DataType, bool]]] = {
    "float16": (ir.DataType.FLOAT16, True),
    "bfloat16": (ir.DataType.BFLOAT16, True),
    "float16_weights": (ir.DataType.FLOAT16, False),
    "bfloat16_weights": (ir.DataType.BFLOAT16, False),
}
"""Legal values of `dtype`: the dtype in the file, and whether it is computed in, too."""


def check_form(dtype: str | None, *, keep_io: bool) -> None:
    """Raise a ValueError for a `dtype` that there is not, or that `keep_io` says nothing about."""
    if dtype is None or dtype not in FORMS:
        listed = ", ".join(f'"{name}"' for name in FORMS)
        raise ValueError(
            f"`dtype` must be one of {listed}, or None for that of the model; those ending in "
            f"`_weights` store weights so, and compute in float32. Received: dtype={dtype!r}"
        )
    if not keep_io and not FORMS[dtype][1]:
        raise ValueError(
            f"`keep_io=False` has no meaning where only weights change. Received: dtype={dtype!r}"
        )


def check_quantization(
    quantize: Any, dtype: str | None, opset: int | None, *, with_data: bool
) -> None:
    """Check the arguments of an export that are about quantisation.

    Args:
        quantize: the form, or None.
        dtype: see `ExportOptions`.
        opset: the operator set that was asked for, or None.
        with_data: whether there is calibration data.

    Raises:
        ValueError: if one is not legal or contradicts another.
    """
    if quantize is None:
        return
    if quantize not in ("int8", "int8_dynamic", "int4"):
        raise ValueError(
            '`quantize` must be "int8" (weights and activations, by ranges that calibration data '
            'show), "int8_dynamic" (ranges are measured while the file runs), "int4" (weights '
            f"alone) or None. Received: quantize={quantize!r}"
        )
    if quantize == "int8" and not with_data:
        raise ValueError(
            '`quantize="int8"` needs `calibration_data`, some hundred inputs such as the model '
            'will see; `"int8_dynamic"` does not. Received: calibration_data=None'
        )
    if dtype is not None:
        raise ValueError(
            "`quantize` stores weights as integers, and `dtype` in 16 bits; give one of them. "
            f"Received: quantize={quantize!r}, dtype={dtype!r}"
        )
    if quantize == "int4" and opset is not None and opset < OPSET_OF_INT4:
        raise ValueError(
            f"Weights in int4 need operator set {OPSET_OF_INT4}. Received: opset={opset}, "
            'quantize="int4"'
        )
