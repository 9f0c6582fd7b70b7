"""Reverse mode: walks a graph backwards, asks the rules, accumulates.

The engine does all bookkeeping, so that a rule is only calculus: which nodes matter, summing the
gradients of a value used twice, undoing broadcasts, checking what a rule returns, naming.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

import onnx_ir as ir

import seqonnx.autodiff.rules as _rules
from seqonnx.autodiff.blockers import Blocker, refusal
from seqonnx.autodiff.broadcast import sum_to_shape_of
from seqonnx.autodiff.registry import Rule, find_rule, why_no_gradient
from seqonnx.autodiff.rule_emitter import Choose, RuleEmitter, by_rule
from seqonnx.autodiff.sources import carries_gradient, sources_of
from seqonnx.autodiff.static_sequences import is_of_sequences, read_from_parts
from seqonnx.autodiff.unselected import Unselected, mask_at, with_zeros
from seqonnx.errors import GradientError
from seqonnx.graph import Emitter
from seqonnx.graph.floats import FLOATS
from seqonnx.graph.reading import (
    UnknownRankError,
    gradient_scope,
    is_gradient_scope,
    scope_of,
)

_MALFORMED: Final = (ValueError, LookupError, TypeError, AttributeError)
"""Errors of a rule at a node that lacks an input, or whose attributes or shapes do not fit."""


def backward(
    op: Emitter,
    targets: Sequence[tuple[ir.Value, ir.Value]],
    wrt: Sequence[ir.Value],
    *,
    device: str = "cpu",
    choose: Choose = by_rule,
) -> list[ir.Value | None]:
    """Append the backward pass of a graph to it.

    Args:
        op: emitter of the graph.
        targets: pairs of a value and the gradient of the loss with respect to it.
        wrt: values whose gradients are wanted: inputs, initializers or inner values.
        device: `"cpu"` or `"cuda"`, for rules that choose a formulation by it.
        choose: decides where several forms of a gradient apply.

    Returns:
        For each of `wrt` its gradient, or None if no target depends on it.

    Raises:
        GradientError: if an operator on the way has no rule; names it, its node and layer, and
            what is behind it.
    """
    _rules.load()
    path = _nodes_between(wrt, [value for value, _ in targets])
    if any(is_of_sequences(node) for node in path):
        read_from_parts(op)
        path = _nodes_between(wrt, [value for value, _ in targets])
    pending: dict[ir.Value, list[ir.Value]] = {}
    for value, grad in targets:
        _arrive(pending, value, grad)
    reach = _reachable(path, wrt)
    unselected = Unselected(known=not is_gradient_scope(op.scope_name))
    for value, _ in targets:
        unselected.arrive(value, None)
    for node in reversed(path):
        grads = [_total(op, node, pending, value) for value in node.outputs]
        if all(grad is None for grad in grads):
            continue
        sources = sources_of(node)
        wanted = [v is not None and v in reach and _carries(v, node) for v in sources]
        rule = find_rule(node.domain, node.op_type)
        if rule is None:
            raise GradientError(refusal([_blocker(node, wrt)]))
        with _scope(op, node), _blamed(node):
            emitter = RuleEmitter(op, wanted, device, choose)
            results = _apply(rule, emitter, node, grads, unselected)
        for source, result in zip(sources, results, strict=True):
            if source is not None and result is not None:
                _arrive(pending, source, result)
    return [_total(op, value.producer(), pending, value) for value in wrt]


def _carries(value: ir.Value, node: ir.Node) -> bool:
    """Whether a gradient can pass a value that a node reads; its type must be known to tell."""
    if value.type is None:
        raise GradientError(
            f"The dtype of '{value.name}', which node '{node.name}' ({node.op_type}) reads, "
            "is unknown, and so is whether a gradient can pass it. Declare it in the `value_info` "
            "of the graph (`onnx.helper.make_tensor_value_info`)."
        )
    return carries_gradient(value)


def _arrive(pending: dict[ir.Value, list[ir.Value]], value: ir.Value, grad: ir.Value) -> None:
    """Note a gradient of `value`; it has the shape of `value`, whatever inference made of it."""
    if value.shape is not None and (grad.shape is None or grad.shape != value.shape):
        grad.shape = value.shape
    pending.setdefault(value, []).append(grad)


def _nodes_between(wrt: Iterable[ir.Value], targets: Iterable[ir.Value]) -> list[ir.Node]:
    """Nodes that lead from `wrt` to `targets`, in an order where each follows what it uses."""
    start = set(wrt)
    order: list[ir.Node] = []
    state: dict[ir.Node, bool] = {}
    stack = [v.producer() for v in targets if v not in start]
    while stack:
        node = stack[-1]
        if node is None or state.get(node):
            stack.pop()
        elif node in state:
            state[node] = True
            order.append(node)
            stack.pop()
        else:
            state[node] = False
            stack.extend(v.producer() for v in sources_of(node) if v is not None and v not in start)
    reach = _reachable(order, start)
    return [
        node
        for node in order
        if any(v in reach for v in node.outputs) and any(v in reach for v in sources_of(node))
    ]


def _reachable(nodes: Sequence[ir.Node], wrt: Iterable[ir.Value]) -> set[ir.Value]:
    """Values that depend on `wrt` through differentiable operators, `wrt` included."""
    reach = set(wrt)
    for node in nodes:
        if why_no_gradient(node) is None and any(v in reach for v in sources_of(node)):
            reach.update(node.outputs)
    return reach


def _total(
    op: Emitter, node: ir.Node | None, pending: dict[ir.Value, list[ir.Value]], value: ir.Value
) -> ir.Value | None:
    """Sum of the gradients that have arrived at `value`."""
    grads = pending.get(value)
    if not grads:
        return None
    if len(grads) > 1:
        with _scope(op, node):
            total = grads[0]
            for grad in grads[1:]:
                total = op.Add(total, grad)
        pending[value] = [total]
    return pending[value][0]


def _apply(
    rule: Rule,
    op: RuleEmitter,
    node: ir.Node,
    grads: Sequence[ir.Value | None],
    unselected: Unselected,
) -> list[ir.Value | None]:
    """Ask the rule of one node, check what it returns and undo broadcasts."""
    found = _call(rule, op, node, grads)
    masks = [*unselected.behind(node), *[None] * len(found)]
    results: list[ir.Value | None] = []
    for i, (value, grad) in enumerate(zip(sources_of(node), found, strict=True)):
        if not op.needs(i) or value is None or grad is None:
            results.append(None)
            continue
        clean = with_zeros(op.emitter, node, grad, masks[i])
        unselected.arrive(value, mask_at(masks[i], clean, value))
        results.append(sum_to_shape_of(op.emitter, clean, value))
    return results


def _call(
    rule: Rule, op: RuleEmitter, node: ir.Node, grads: Sequence[ir.Value | None]
) -> list[ir.Value | None]:
    returned = rule(op, node, *grads)
    results = list(returned) if isinstance(returned, tuple | list) else [returned]
    sources = sources_of(node)
    if len(results) > len(sources):
        raise GradientError(
            f"The gradient rule of {node.op_type} returned {len(results)} gradients for the "
            f"{len(sources)} inputs of node '{node.name}'."
        )
    results += [None] * (len(sources) - len(results))
    for value, grad in zip(sources, results, strict=True):
        if value is None or grad is None or value.dtype not in FLOATS:
            continue
        if grad.dtype != value.dtype:
            raise GradientError(
                f"The gradient rule of {node.op_type} returned {grad.dtype} for input "
                f"'{value.name}' of node '{node.name}', which is {value.dtype}."
            )
    return results


@contextmanager
def _blamed(node: ir.Node) -> Iterator[None]:
    """Lay what goes wrong in the gradient of a node to the node."""
    try:
        yield
    except UnknownRankError as error:
        raise GradientError(
            f"{_title(node)} needs the number of axes of '{error.name}', which is unknown. Declare "
            "its shape in the `value_info` of the graph (`onnx.helper.make_tensor_value_info`); "
            "sizes that are not known may be names."
        ) from error
    except GradientError:
        raise
    except _MALFORMED as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        shapes = ", ".join("none" if v is None else str(v.shape) for v in sources_of(node))
        raise GradientError(
            f"{_title(node)} cannot be built from inputs of shapes {shapes}: {kind}{error}. Look "
            "whether its inputs and attributes are what the standard says "
            "(`onnx.checker.check_model` with `full_check=True`), or leave what is behind it out "
            "(of `wrt`, or of training with `layer.trainable = False`)."
        ) from error


def _title(node: ir.Node) -> str:
    """The gradient of a node, as errors call it."""
    layer = scope_of(node) or "(none)"
    name = node.name or next((value.name for value in node.outputs if value.name), "")
    return f"The gradient of {node.op_type} (node '{name}', layer '{layer}')"


def _scope(op: Emitter, node: ir.Node | None) -> AbstractContextManager[None]:
    """Scope of gradient nodes: `grad/` and the layer of the forward node, then `grad2/` and so on.

    What a rule differentiates on its way stays in the scope of the rule.
    """
    if is_gradient_scope(op.scope_name):
        return nullcontext()
    return op.scope(gradient_scope("" if node is None else scope_of(node)))


def _blocker(node: ir.Node, wrt: Sequence[ir.Value]) -> Blocker:
    """Describe a node without a rule."""
    behind = _ancestors(node)
    blocked = tuple(str(value.name) for value in wrt if value in behind)
    return Blocker(node.op_type, node.domain, node.name or "", blocked, None)


def _ancestors(node: ir.Node) -> set[ir.Value]:
    """Every value that a node depends on."""
    found: set[ir.Value] = set()
    stack = [v for v in sources_of(node) if v is not None]
    while stack:
        value = stack.pop()
        if value not in found:
            found.add(value)
            producer = value.producer()
            if producer is not None:
                stack.extend(v for v in sources_of(producer) if v is not None)
    return found
