"""Which forms the gradients of a convolution's input and weights are chosen from together."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.lowering.convolution import DifferentiatedConvolution
from seqonnx.autodiff.lowering.input_gradient import INPUT_FORMS
from seqonnx.autodiff.lowering.offers import combined, offered
from seqonnx.autodiff.lowering.shared_windows import SHARED_FORMS
from seqonnx.autodiff.lowering.weight_gradient import WEIGHT_FORMS
from seqonnx.autodiff.rule_emitter import Form, RuleEmitter


def convolution_forms(
    op: RuleEmitter, place: DifferentiatedConvolution
) -> list[Form[DifferentiatedConvolution, tuple[ir.Value, ...]]]:
    """Return the forms that apply, the best by rule first.

    Returns:
        Forms that emit the gradients of those of `x` and `w` that want one, in this order.
    """
    parts = [
        offered(op, forms, place)
        for i, forms in enumerate((INPUT_FORMS, WEIGHT_FORMS))
        if op.needs(i)
    ]
    together = offered(op, SHARED_FORMS, place) if len(parts) == 2 else []
    return [*together, *combined(parts)]
