"""Whether a step runs in ONNX Runtime's blocked layout, and which forms of gradients then serve."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import OF_FIRST, OF_SECOND, AnyForm, Choose, by_rule
from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocks import fills_blocks, parts_of_image, sums_well
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
        fitting = _in_blocks(node, block)
        here = [form for form in forms if form.blocked <= fitting]
        most = max(len(form.blocked) for form in here)
        return next(form for form in here if len(form.blocked) == most)

    return choose


def plain_forms(forms: Sequence[AnyForm]) -> list[AnyForm]:
    """Return the forms that do not need the layout."""
    return [form for form in forms if not form.blocked]


def _in_blocks(node: ir.Node, block: int) -> frozenset[int]:
    """The inputs of a node whose gradients have the sizes for whole blocks."""
    source, nothing = node.inputs[0], frozenset[int]()
    x, y = known_sizes(source), known_sizes(node.outputs[0])
    if x is None or y is None or source is None or source.dtype is not ir.DataType.FLOAT:
        return nothing
    map_fits = fills_blocks(x[1], block)
    if is_op(node, "MaxPool"):
        return OF_FIRST if map_fits else nothing
    if not is_op(node, "Conv"):
        return nothing
    sums = sums_well(math.prod(y[2:]))
    if node.attributes.get_int("group", 1) > 1:
        weights_fit = map_fits and x[0] * x[1] % block == 0
    else:
        map_fits = map_fits and y[1] % block == 0
        weights_fit = y[1] % block == 0 and len(y) == 4 and parts_of_image(x[0], y[2], block) > 0
    return (OF_FIRST if map_fits else nothing) | (OF_SECOND if weights_fit and sums else nothing)
