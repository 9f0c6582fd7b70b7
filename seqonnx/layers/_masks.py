"""Masks: which entries of its inputs a layer is told to leave out, and those of its outputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.signatures import Spelling
from seqonnx.structures import put_back, take_out


class _TakesMasks(Protocol):
    """The side of a layer that masks need."""

    name: str
    supports_masking: bool

    def _emit_mask(self, op: Emitter, x: Any, mask: Any) -> Any:
        """Emit the mask of the output."""


def masks_of(op: Emitter, x: Any) -> Any:
    """Return the masks of values in the same structure; None where none has one."""
    values: list[ir.Value] = []
    pattern = take_out(x, lambda part: isinstance(part, ir.Value), values)
    masks = [op.mask_of(value) for value in values]
    return None if all(mask is None for mask in masks) else put_back(pattern, masks)


def with_masks(op: Emitter, spelling: Spelling, x: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the further arguments of a call, with the masks that its tensors bring along.

    Where one argument has tensors, `mask` is that of these; where several have, `query_mask` is
    that of `query`, and so on, and nobody fills in `mask`: so it is in Keras, for example for a
    recurrent layer that is called with `initial_state`.
    """
    given = dict(named)
    if not op.has_masks or not spelling.names:
        return given
    tensors = {name: v for name, v in {spelling.names[0]: x, **named}.items() if _has_tensors(v)}
    several = len(tensors) > 1
    for name, value in tensors.items():
        wanted = f"{name}_mask" if several else "mask"
        if wanted in spelling.names and given.get(wanted) is None:
            given[wanted] = masks_of(op, value)
    return given


def _has_tensors(x: Any) -> bool:
    """Whether a structure has values of the graph."""
    values: list[ir.Value] = []
    take_out(x, lambda part: isinstance(part, ir.Value), values)
    return len(values) > 0


def carry_masks(op: Emitter, layer: _TakesMasks, x: Any, mask: Any, y: Any) -> None:
    """Give the outputs of a layer their masks.

    Args:
        op: emitter of the graph.
        layer: the layer.
        x: the first argument of its call.
        mask: the mask that the call was given; None: that of `x`.
        y: its outputs.
    """
    before = masks_of(op, x) if mask is None else mask
    if not layer.supports_masking:
        if before is not None:
            _warn(layer)
        return
    outputs: list[ir.Value] = []
    take_out(y, lambda part: isinstance(part, ir.Value), outputs)
    if all(op.mask_of(value) is not None for value in outputs):
        return
    after = layer._emit_mask(op, x, before)
    masks: list[ir.Value | None] = []
    take_out(after, lambda part: part is None or isinstance(part, ir.Value), masks)
    for value, own in zip(outputs, masks, strict=False):
        if own is not None and op.mask_of(value) is None:
            op.set_mask(value, own)


def _warn(layer: _TakesMasks) -> None:
    """Say that a mask ends here."""
    warnings.warn(
        f"Layer '{layer.name}' (of type {type(layer).__name__}) was passed an input with a mask "
        "attached to it. However, this layer does not support masking and will therefore destroy "
        "the mask information. Downstream layers will not see the mask.",
        UserWarning,
        stacklevel=2,
    )
