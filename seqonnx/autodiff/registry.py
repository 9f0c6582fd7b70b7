"""Who knows the gradient of what: rules and declarations of "no gradient", by operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import onnx_ir as ir

import seqonnx.autodiff.rules as _families
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import canonical_domain, stops_gradient

Gradients = ir.Value | None | tuple[ir.Value | None, ...] | list[ir.Value | None]
Key = tuple[str, str]


class Rule(Protocol):
    """A gradient rule: `(op, node, output gradients)` to one value or None per input.

    `op` emits operators, `op.needs(i)` tells whether input `i` wants a gradient. An output that
    the loss does not depend on has the gradient None. A returned gradient may have the shape
    after broadcasting; the engine sums it back. A rule with one input may return the value alone.
    """

    def __call__(self, op: RuleEmitter, node: ir.Node, *grads: Any) -> Gradients:
        """Emit the gradient."""


_rules: dict[Key, Rule] = {}
_nondifferentiable: dict[Key, str] = {}


def gradient(domain: str, *op_types: str) -> Callable[[Rule], Rule]:
    """Register the decorated function as the gradient rule of operators or functions.

    A model-local function of that domain and name is then differentiated by the rule instead of
    through its body. Registering again replaces an earlier rule of one's own, so that a notebook
    cell may run twice; what seqonnx itself declares cannot be replaced.

    Args:
        domain: operator domain; `""` is the standard `ai.onnx`.
        *op_types: operator or function names.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: if seqonnx has a rule or a declaration for an operator.

    Example:
        >>> @gradient("com.example", "Twice")
        ... def twice(op, node, dy):
        ...     return op.Mul(dy, 2.0)
    """

    def register(rule: Rule) -> Rule:
        if canonical_domain(domain) == "" and not _is_ours(rule):
            _families.load()
        keys = [_free(domain, op_type) for op_type in op_types]
        for key in keys:
            _nondifferentiable.pop(key, None)
            _rules[key] = rule
        return rule

    return register


def nondifferentiable(domain: str, *op_types: str, reason: str) -> None:
    """Declare that operators or functions have gradient zero everywhere, or none by their nature.

    Args:
        domain: operator domain; `""` is the standard `ai.onnx`.
        *op_types: operator or function names.
        reason: why, in a few words, for the support table and for errors.

    Raises:
        ValueError: if seqonnx has a rule or a declaration for an operator.

    Example:
        >>> nondifferentiable("com.example", "Bucketize", reason="piecewise constant")
    """
    if canonical_domain(domain) == "":
        _families.load()
    declare(domain, *op_types, reason=reason)


def declare(domain: str, *op_types: str, reason: str) -> None:
    """Do what `nondifferentiable` does, for the families of rules while they are being loaded."""
    keys = [_free(domain, op_type) for op_type in op_types]
    for key in keys:
        _rules.pop(key, None)
        _nondifferentiable[key] = reason


def find_rule(domain: str, op_type: str) -> Rule | None:
    """Return the rule of an operator, or None."""
    return _rules.get((canonical_domain(domain), op_type))


def why_nondifferentiable(domain: str, op_type: str) -> str | None:
    """Return the reason why an operator has no gradient, or None if none was declared."""
    return _nondifferentiable.get((canonical_domain(domain), op_type))


def why_no_gradient(node: ir.Node) -> str | None:
    """Return the reason why no gradient passes a node, or None."""
    if stops_gradient(node):
        return "stands where `stop_gradient` was called"
    return why_nondifferentiable(node.domain, node.op_type)


def has_gradient(domain: str, op_type: str) -> bool:
    """Whether a function has a rule or a declaration of its own, which wins over its body."""
    key = (canonical_domain(domain), op_type)
    return key[0] != "" and (key in _rules or key in _nondifferentiable)


def _is_ours(rule: Rule) -> bool:
    return rule.__module__.startswith(f"{_families.__name__}.")


def _free(domain: str, op_type: str) -> Key:
    """The key of an operator that seqonnx itself says nothing about."""
    key = (canonical_domain(domain), op_type)
    rule = _rules.get(key)
    if (rule is not None and _is_ours(rule)) or (key[0] == "" and key in _nondifferentiable):
        raise ValueError(
            f"The operator {op_type} (domain '{domain}') already has a gradient rule in seqonnx. "
            "For another gradient put it into a function of your own domain, and register a rule "
            "for that."
        )
    return key
