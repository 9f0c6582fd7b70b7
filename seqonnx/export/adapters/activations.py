"""Activations that came late, by the formulas of the standard."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.export.adapters.registry import adapter
from seqonnx.graph import Emitter
from seqonnx.lowering.respelling import spelled_gelu

adapter("Gelu", 20)(spelled_gelu)


@adapter("Mish", 18)
def _mish(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    return [op.Mul(node.inputs[0], op.Tanh(op.Softplus(node.inputs[0])))]


@adapter("HardSwish", 14)
def _hard_swish(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    return [op.Mul(node.inputs[0], op.HardSigmoid(node.inputs[0], alpha=1.0 / 6.0, beta=0.5))]
