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
    return gradients_of(op, node, targets, copies)


def copies_of(op: RuleEmitter, node: ir.Node) -> list[ir.Value | None]:
    """A value of its own for each input that wants a gradient: one value may be two inputs."""
    return [
        op.Identity(value) if value is not None and op.needs(i) else value
        for i, value in enumerate(node.inputs)
    ]


def gradients_of(
    op: RuleEmitter,
    node: ir.Node,
    targets: Sequence[tuple[ir.Value, ir.Value]],
    copies: Sequence[ir.Value | None],
) -> list[ir.Value | None]:
    """Gradients of the copies that want one, from the gradients of what was made of them."""
    wanted = [(i, value) for i, value in enumerate(copies) if value is not None and op.needs(i)]
    found = backward(op.emitter, targets, [value for _, value in wanted], device=op.device)
    results: list[ir.Value | None] = [None] * len(copies)
    for (i, _), grad in zip(wanted, found, strict=True):
        results[i] = grad
    kept = {value for value in [*node.inputs, *node.outputs, *found] if value is not None}
    _discard(op, [made for made, _ in targets], kept | {dy for _, dy in targets})
    return results


def _discard(op: RuleEmitter, values: Sequence[ir.Value], kept: set[ir.Value]) -> None:
    """Remove what was emitted only to be walked backwards: ONNX Runtime would compute it."""
    stack = list(values)
    while stack:
        value = stack.pop()
        node = value.producer()
        if node is None or value in kept or node.graph is not op.emitter.graph:
            continue
        unused = all(
            len(list(output.uses())) == 0 and output not in kept and not output.is_graph_output()
            for output in node.outputs
        )
        if unused:
            sources = [source for source in node.inputs if source is not None]
            op.emitter.graph.remove(node, safe=True)
            stack.extend(sources)
