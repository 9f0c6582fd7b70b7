"""The emitter that a gradient rule gets, and the forms that it may choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.operators import Operators

Place = TypeVar("Place")
Made = TypeVar("Made")


def everywhere(op: RuleEmitter, place: Any) -> bool:
    """The condition of a form that applies at every place."""
    return True


def nowhere(op: RuleEmitter, place: Any) -> bool:
    """The preference of a form that is offered after all others."""
    return False


@dataclass(frozen=True)
class Form(Generic[Place, Made]):
    """One of several forms in which a gradient can be computed.

    All forms of one gradient give the same numbers up to rounding; they differ in time.

    Args:
        name: says what it does; unique among the forms of one gradient, since the choices that
            autotuning remembers go by it.
        emit: emits the gradient at a place: a record of the node, its values and its sizes.
        applies: whether it is right at a place.
        preferred: whether, as far as it was measured, it is the fastest where it applies.
        blocked: the inputs of the node whose gradients are convolutions or pools to be run in ONNX
            Runtime's blocked layout (see `lowering.blocked`); without that, such forms are slow.

    Example:
        >>> Form("by halves", lambda op, dy: op.Mul(dy, 0.5)).name
        'by halves'
    """

    name: str
    emit: Callable[[RuleEmitter, Place], Made]
    applies: Callable[[RuleEmitter, Place], bool] = everywhere
    preferred: Callable[[RuleEmitter, Place], bool] = everywhere
    blocked: frozenset[int] = frozenset()


OF_FIRST: Final = frozenset({0})
"""`Form.blocked` of a gradient of the first input, such as a map."""

OF_SECOND: Final = frozenset({1})
"""`Form.blocked` of a gradient of the second input, such as the weights of a convolution."""

AnyForm = Form[Any, Any]

Choose = Callable[[ir.Node, Sequence[bool], Sequence[AnyForm]], AnyForm]
"""Chooses how to compute a gradient: gets the node, for each input whether it wants a gradient, and
the forms that apply there, the best by rule first; returns one of them."""


def by_rule(node: ir.Node, wanted: Sequence[bool], forms: Sequence[AnyForm]) -> AnyForm:
    """Choose what the measured rules of thumb prefer."""
    return forms[0]


class RuleEmitter(Operators):
    """The `op` of a gradient rule: the graph's operators, and what the rule may ask.

    Args:
        emitter: the emitter of the graph.
        wanted: for each input of the node, whether it wants a gradient.
        device: `"cpu"` or `"cuda"`, for rules that choose a formulation by it.
        choose: decides where several forms of a gradient apply.
    """

    def __init__(
        self, emitter: Emitter, wanted: Sequence[bool], device: str, choose: Choose = by_rule
    ) -> None:
        self.emitter = emitter
        self.device = device
        self._wanted = wanted
        self._choose = choose

    def needs(self, index: int) -> bool:
        """Whether input `index` of the node wants a gradient."""
        return index < len(self._wanted) and self._wanted[index]

    def choose(self, node: ir.Node, forms: Sequence[Form[Place, Made]]) -> Form[Place, Made]:
        """Return one of the forms that apply to the gradients of a node.

        Args:
            node: the node.
            forms: the forms, the best by rule first (see `lowering.offers.offered`).
        """
        return forms[0] if len(forms) == 1 else self._choose(node, self._wanted, forms)

    def constant(self, array: Any, name: str = "constant") -> ir.Value:
        """Add a constant array (see `Emitter.constant`)."""
        return self.emitter.constant(array, name)

    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        """Append one node (see `Emitter.emit`)."""
        return self.emitter.emit(op_type, args, attributes)
