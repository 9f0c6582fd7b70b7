"""Who knows the gradient of what: rules and declarations of "no gradient", by operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter

Gradients = ir.Value | None | tuple[ir.Value | None, ...] | list[ir.Value | None]
Key = tuple[str, str]


class Rule(Protocol):
    """A gradient rule: `(op, node, output gradients)` to one value or None per input.

    `op` emits operators, `op.needs(i)` tells whether input `i` wants a gradient. An output that
    the loss does not depend on has the gradient None. A returned gradient may have the shape that
    broadcasting gave; the engine sums it back. A rule with one input may return the value alone.
    """

    def __call__(self, op: RuleEmitter, node: ir.Node, *grads: Any) -> Gradients:
        """Emit the gradient."""


_rules: dict[Key, Rule] = {}
_nondifferentiable: dict[Key, str] = {}


def gradient(domain: str, *op_types: str) -> Callable[[Rule], Rule]:
    """Register the decorated function as the gradient rule of operators.

    Args:
        domain: operator domain; `""` is the standard `ai.onnx`.
        *op_types: operator names.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: if an operator already has a rule or a declaration.

    Example:
        >>> @gradient("com.example", "Twice")
        ... def twice(op, node, dy):
        ...     return op.Mul(dy, 2.0)
    """

    def register(rule: Rule) -> Rule:
        for op_type in op_types:
            _check_free((domain, op_type))
            _rules[domain, op_type] = rule
        return rule

    return register


def nondifferentiable(domain: str, *op_types: str, reason: str) -> None:
    """Declare that operators have gradient zero everywhere, or none by their nature.

    Args:
        domain: operator domain; `""` is the standard `ai.onnx`.
        *op_types: operator names.
        reason: why, in a few words, for the support table and for errors.

    Raises:
        ValueError: if an operator already has a rule or a declaration.
    """
    for op_type in op_types:
        _check_free((domain, op_type))
        _nondifferentiable[domain, op_type] = reason


def find_rule(domain: str, op_type: str) -> Rule | None:
    """Return the rule of an operator, or None."""
    return _rules.get((_standard(domain), op_type))


def why_nondifferentiable(domain: str, op_type: str) -> str | None:
    """Return the reason why an operator has no gradient, or None if none was declared."""
    return _nondifferentiable.get((_standard(domain), op_type))


def registered() -> tuple[frozenset[Key], frozenset[Key]]:
    """Return the operators that have a rule, and those declared to have no gradient."""
    return frozenset(_rules), frozenset(_nondifferentiable)


def _standard(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _check_free(key: Key) -> None:
    if key in _rules or key in _nondifferentiable:
        raise ValueError(f"The operator {key[1]} (domain '{key[0]}') already has a gradient rule.")
