"""Differentiating an operator through its definition by simpler ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.rule_emitter import RuleEmitter

Definition = Callable[[list[ir.Value | None]], Sequence[ir.Value | None]]


def by_definition(
    op: RuleEmitter, node: ir.Node, grads: Sequence[ir.Value | None], definition: Definition
) -> list[ir.Value | None]:
    """Emit an operator's definition anew and walk it backwards.

    What the operator computed inside is computed again, in the forms that have rules; the
    operator itself stays as it is in the forward pass.

    Args:
        op: the rule's emitter.
        node: the node to differentiate.
        grads: gradients of its outputs; None where the loss does not depend on one.
        definition: emits the definition, from a value for each input of the node to a value for
            each output that has a gradient.

    Returns:
        A gradient or None for each input.
    """
    copies = copies_of(op, node)
    outputs = definition(copies)
    targets = [
        (made, dy)
        for made, dy in zip(outputs, grads, strict=False)
        if made is not None and dy is not None
    ]
    return gradients_of(op, targets, copies)


def copies_of(op: RuleEmitter, node: ir.Node) -> list[ir.Value | None]:
    """A value of its own for each input that wants a gradient: one value may be two inputs."""
    return [
        op.Identity(value) if value is not None and op.needs(i) else value
        for i, value in enumerate(node.inputs)
    ]


def gradients_of(
    op: RuleEmitter,
    targets: Sequence[tuple[ir.Value, ir.Value]],
    copies: Sequence[ir.Value | None],
) -> list[ir.Value | None]:
    """Gradients of the copies that want one, from the gradients of what was made of them."""
    wanted = [(i, value) for i, value in enumerate(copies) if value is not None and op.needs(i)]
    found = backward(op.emitter, targets, [value for _, value in wanted], device=op.device)
    results: list[ir.Value | None] = [None] * len(copies)
    for (i, _), grad in zip(wanted, found, strict=True):
        results[i] = grad
    return results
