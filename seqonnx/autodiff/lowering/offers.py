"""Which forms of a gradient apply at a place, and in which order they are offered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product

from seqonnx.autodiff.rule_emitter import Form, Made, Place, RuleEmitter


def offered(
    op: RuleEmitter, forms: Sequence[Form[Place, Made]], place: Place
) -> list[Form[Place, Made]]:
    """Return the forms that apply at a place: those preferred there first, else in their order."""
    applicable = [form for form in forms if form.applies(op, place)]
    return sorted(applicable, key=lambda form: not form.preferred(op, place))


def combined(parts: Sequence[Sequence[Form[Place, Made]]]) -> list[Form[Place, tuple[Made, ...]]]:
    """Return every combination of one form for each of several gradients of a node.

    Args:
        parts: the forms offered for each gradient.

    Returns:
        Forms that emit all the gradients, the best by rule first. They are called by the forms of
        those gradients that have more than one in the plain layout, and by those in blocks.
    """
    choices = [sum(not form.blocked for form in forms) > 1 for forms in parts]
    return [
        Form(
            " ".join(
                form.name
                for form, has_choice in zip(forms, choices, strict=True)
                if has_choice or form.blocked
            ),
            partial(_emit_each, forms),
            blocked=frozenset().union(*(form.blocked for form in forms)),
        )
        for forms in product(*parts)
    ]


def _emit_each(
    forms: Sequence[Form[Place, Made]], op: RuleEmitter, place: Place
) -> tuple[Made, ...]:
    return tuple(form.emit(op, place) for form in forms)
