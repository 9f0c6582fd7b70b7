"""Whether a step runs in ONNX Runtime's blocked layout, and which forms of gradients then serve."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import AnyForm, Choose, by_rule
from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocks import fills_blocks, sums_well
from seqonnx.runtime import Device
from seqonnx.runtime.block_size import block_size

_VARIABLE = "SEQONNX_BLOCKED"


def block_for(device: Device) -> int:
    """Return the block size for steps on a device; 0 where they stay in the plain layout.

    `SEQONNX_BLOCKED=0` in the environment keeps all of them plain.
    """
    if device.memory != "cpu" or os.environ.get(_VARIABLE, "1") == "0":
        return 0
    return block_size()


def by_blocks(block: int) -> Choose:
    """Return what chooses the forms that gain by the layout, where channels are whole blocks.

    Args:
        block: channels in a block; 0 for the plain layout, and the choice by rule.
    """
    if block == 0:
        return by_rule

    def choose(node: ir.Node, wanted: Sequence[bool], forms: Sequence[AnyForm]) -> AnyForm:
        most = max(form.blocked for form in forms)
        if most == 0 or not _fits(node, wanted, block):
            return forms[0]
        return next(form for form in forms if form.blocked == most)

    return choose


def plain_forms(forms: Sequence[AnyForm]) -> list[AnyForm]:
    """Return the forms that do not need the layout."""
    return [form for form in forms if form.blocked == 0]


def _fits(node: ir.Node, wanted: Sequence[bool], block: int) -> bool:
    """Whether the sizes of a node are whole blocks, as its gradients need them."""
    x, y = (known_sizes(v) if v is not None else None for v in (node.inputs[0], node.outputs[0]))
    source = node.inputs[0]
    if x is None or y is None or source is None or source.dtype is not ir.DataType.FLOAT:
        return False
    if is_op(node, "MaxPool"):
        return fills_blocks(x[1], block)
    if not is_op(node, "Conv") or (wanted[1] and not sums_well(math.prod(y[2:]))):
        return False
    if node.attributes.get_int("group", 1) > 1:
        return fills_blocks(x[1], block) and x[0] * x[1] % block == 0
    images = not wanted[1] or x[0] % block == 0
    return y[1] % block == 0 and images and (not wanted[0] or fills_blocks(x[1], block))
