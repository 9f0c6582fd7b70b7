"""Constraints: what weights are put back to after each optimizer step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import FromUserFunction, register
from seqonnx.configuration import Configured
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter
from seqonnx.graph.signatures import adopt_renamed
from seqonnx.graph.tracing import emission_of, emit_method
from seqonnx.runtime.program import value_key
from seqonnx.tensor_function import evaluate

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def __dir__() -> list[str]:
    return sorted(__all__)


_TINY: Final = 1e-7
"""Added to a norm before dividing by it."""


class Constraint(Configured):
    """Maps a weight to the nearest legal one. Also the base of a user's own constraint.

    A subclass defines `__call__(op, w)`, or Keras's `__call__(w)`, on tensors. Arguments of its
    constructor are saved from attributes of the same name.

    Example:
        >>> class AtMostOne(Constraint):
        ...     def __call__(self, op, w):
        ...         return op.Clip(w, -1.0, 1.0)
    """

    def __call__(self, *given: Any) -> Any:
        """Emit the constraint, or compute it.

        Args:
            *given: the emitter `op` and the weight `w`, in the Keras layout; or just the weight,
                an array or a tensor.

        Returns:
            The weight to go on with.
        """
        if isinstance(given[0], Emitter):
            return self._emit(*given)
        return evaluate(self._emit, *given, key=value_key(self))

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class of the user's define `emit(op, w, layout)`, as until version 0.1."""
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Constraint", {"emit": ("_emit", "op")})

    def _apply(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None) -> ir.Value:
        """Emit the constraint of a weight as it is stored.

        Args:
            op: emitter.
            w: the weight in the ONNX layout.
            layout: the axes that turned the Keras layout into this one (see
                `Layer.add_weight`); None where both are the same.

        Returns:
            The weight to go on with, in the ONNX layout.
        """
        # Whichever of the two the class nearest to the user's defines.
        defined = (c for c in type(self).__mro__ if {"__call__", "_emit"} & vars(c).keys())
        if "_emit" in vars(next(defined)):
            return self._emit(op, w, layout)

        def emit(op: Emitter, w: ir.Value) -> ir.Value:
            value: ir.Value = emit_method(self, "Constraint", "__call__", ("w",), op, w)
            return value

        return _in_keras_layout(op, w, layout, emit)

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Emit the constraint in any layout, for the classes of this package."""
        raise NotImplementedError(
            f"Constraint {type(self).__name__} does not define `__call__`. Write "
            "`__call__(self, op, w)`, which emits the new weight."
        )

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def _in_keras_layout(
    op: Emitter, w: ir.Value, layout: Sequence[int] | None, emit: Callable[..., ir.Value]
) -> ir.Value:
    """Emit a constraint that sees the weight in the Keras layout."""
    if layout is None:
        return emit(op, w)
    shown = op.Transpose(w, perm=[int(i) for i in np.argsort(layout)])
    return op.Transpose(emit(op, shown), perm=list(layout))


@register("constraint", "non_neg")
class NonNeg(Constraint):
    """No weight below zero.

    Example:
        >>> NonNeg()
        NonNeg()
    """

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Emit the constraint."""
        return op.Relu(w)


@register("constraint", "max_norm")
class MaxNorm(Constraint):
    """No norm above a limit (Srivastava et al., 2014, section 5.1).

    Args:
        max_value: the limit.
        axis: axis or axes, in the Keras layout, along which a norm is taken: 0 for the inputs of
            a Dense kernel, `[0, 1, 2]` for those of a Conv2D kernel.

    Example:
        >>> MaxNorm(3.0)
        MaxNorm(max_value=3.0, axis=0)
    """

    def __init__(self, max_value: float = 2.0, axis: int | Sequence[int] = 0) -> None:
        self.max_value = max_value
        self.axis = _plain(axis)

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Emit the constraint."""
        norm = _norm(op, w, self.axis, layout)
        return op.Mul(w, op.Div(op.Clip(norm, 0.0, float(self.max_value)), op.Add(norm, _TINY)))


@register("constraint", "unit_norm")
class UnitNorm(Constraint):
    """Every norm 1.

    Args:
        axis: axis or axes, in the Keras layout, along which a norm is taken (see `MaxNorm`).

    Example:
        >>> UnitNorm()
        UnitNorm(axis=0)
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = _plain(axis)

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Emit the constraint."""
        return op.Div(w, op.Add(_norm(op, w, self.axis, layout), _TINY))


@register("constraint", "min_max_norm")
class MinMaxNorm(Constraint):
    """Norms drawn into an interval.

    Args:
        min_value: lower end.
        max_value: upper end.
        rate: 1 puts a norm onto the interval at once, less moves it there by that share.
        axis: axis or axes, in the Keras layout, along which a norm is taken (see `MaxNorm`).

    Example:
        >>> MinMaxNorm(0.5, 1.0)
        MinMaxNorm(min_value=0.5, max_value=1.0, rate=1.0, axis=0)
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = _plain(axis)

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Emit the constraint."""
        norm = _norm(op, w, self.axis, layout)
        clipped = op.Clip(norm, float(self.min_value), float(self.max_value))
        wanted = op.Add(op.Mul(clipped, float(self.rate)), op.Mul(norm, 1.0 - self.rate))
        return op.Mul(w, op.Div(wanted, op.Add(norm, _TINY)))


# The names of the classes in lower case, which Keras has, too.
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


class FunctionConstraint(FromUserFunction, Constraint):
    """A user's function `(op, w)`, or `(w)` on tensors, of a weight in the Keras layout.

    Args:
        function: emits the constraint.
    """

    def __init__(self, function: Callable[[Emitter, ir.Value], ir.Value]) -> None:
        self._emission = emission_of(function, "constraint", "op", "w")
        super().__init__(function)

    def _emit(self, op: Emitter, w: ir.Value, layout: Sequence[int] | None = None) -> ir.Value:
        """Call the function."""
        changed: ir.Value = _in_keras_layout(op, w, layout, self._emission)
        return changed


def get(identifier: Any) -> Constraint | None:
    """Return the constraint that `identifier` stands for.

    Args:
        identifier: None, a `Constraint` or its class, a name (`"non_neg"`, `"NonNeg"`), a dict
            from `serialize`, or a function `(op, w)` that emits the new weight.

    Returns:
        A constraint, or None for None.

    Raises:
        ValueError: if it stands for none.

    Example:
        >>> get("max_norm")
        MaxNorm(max_value=2.0, axis=0)
    """
    return deserialize(identifier)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """Return a constraint as plain values that JSON can hold; `get` turns them back.

    A user's own function or class is saved by its name alone: to load it, pass it in
    `custom_objects`.

    Example:
        >>> serialize(NonNeg())
        {'class_name': 'NonNeg', 'config': {}}
    """
    if constraint is None:
        return None
    return catalogue.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Constraint | None:
    """Make a constraint from the configuration returned by `serialize`.

    Args:
        config: the dict, or whatever else `get` takes.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        A constraint; None for None.

    Raises:
        ValueError: if it stands for none.
    """
    if config is None:
        return None
    found: Constraint = catalogue.get(
        "constraint", config, Constraint, wrap=FunctionConstraint, custom_objects=custom_objects
    )
    return found


def _norm(
    op: Emitter, w: ir.Value, axis: int | Sequence[int], layout: Sequence[int] | None
) -> ir.Value:
    """Emit the Euclidean norm along axes that are counted in the Keras layout."""
    rank = len(w.shape) if w.shape is not None else 0
    order = list(range(rank)) if layout is None else list(layout)
    shown = [axis] if isinstance(axis, int) else list(axis)
    axes = sorted(order.index(a % rank) for a in shown)
    return op.ReduceL2(w, axes, keepdims=1)


def _plain(axis: int | Sequence[int]) -> int | list[int]:
    """An axis argument as JSON holds it."""
    plain = plain_value(axis)
    return plain if isinstance(plain, int) else list(plain)
