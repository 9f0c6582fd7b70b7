"""Regularizers: penalties on weights or outputs that training adds to the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import FromUserFunction, register
from seqonnx.configuration import Configured
from seqonnx.graph import Emitter, Trace, Variable, dtype_name, static_shape
from seqonnx.graph.signatures import adopt_renamed, works_on_tensors
from seqonnx.graph.tracing import OnTensors, emission_of, emit_method
from seqonnx.runtime.program import value_key
from seqonnx.tensor_function import evaluate

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)


class Regularizer(Configured):
    """A penalty on a value. Also the base of a user's own regularizer.

    A subclass defines `__call__(op, x)`, or Keras's `__call__(x)`, on tensors. Arguments of its
    constructor are saved from attributes of the same name.

    Example:
        >>> class Spread(Regularizer):
        ...     def __call__(self, op, x):
        ...         return op.ReduceMax(op.Abs(x), keepdims=0)
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class of the user's define `emit(op, x)`, as until version 0.1."""
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Regularizer", {"emit": ("__call__", "op")})

    def __call__(self, *given: Any) -> Any:
        """Emit the penalty, or compute it.

        Args:
            *given: the emitter `op` and the value `x`, a weight or a layer's output; or just the
                value, an array or a tensor.

        Returns:
            A scalar.
        """
        if isinstance(given[0], Emitter):
            return self._penalty(*given)
        return evaluate(self._penalty, *given, key=value_key(self))

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the penalty, for the classes of this package."""
        raise NotImplementedError(
            f"Regularizer {type(self).__name__} does not define `__call__`. Write "
            "`__call__(self, op, x)`, which emits the penalty."
        )

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@register("regularizer", "l1")
class L1(Regularizer):
    """l1 * sum |x|.

    Args:
        l1: finite factor.

    Example:
        >>> L1(0.1)
        L1(l1=0.1)
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _finite("l1", l1)

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the penalty."""
        return op.Mul(op.ReduceL1(x, keepdims=0), self.l1)


@register("regularizer", "l2")
class L2(Regularizer):
    """l2 * sum x^2.

    Args:
        l2: finite factor.

    Example:
        >>> L2(0.1)
        L2(l2=0.1)
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _finite("l2", l2)

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the penalty."""
        return op.Mul(op.ReduceSumSquare(x, keepdims=0), self.l2)


@register("regularizer")
class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2.

    Args:
        l1: finite factor, or None for 0.
        l2: finite factor, or None for 0.

    Example:
        >>> L1L2(l2=0.1)
        L1L2(l1=0.0, l2=0.1)
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _finite("l1", 0.0 if l1 is None else l1)
        self.l2 = _finite("l2", 0.0 if l2 is None else l2)

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the penalty; what has no weight is left out."""
        if self.l1 == 0.0:
            return L2(self.l2)._penalty(op, x)
        if self.l2 == 0.0:
            return L1(self.l1)._penalty(op, x)
        return op.Add(L1(self.l1)._penalty(op, x), L2(self.l2)._penalty(op, x))


@register("regularizer", "orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """factor * the mean |cosine| between two rows, or two columns, of a matrix.

    Args:
        factor: finite factor.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: for another mode.

    Example:
        >>> OrthogonalRegularizer(mode="columns")
        OrthogonalRegularizer(factor=0.01, mode='columns')
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _finite("factor", factor)
        if mode not in {"rows", "columns"}:
            raise ValueError(
                "Invalid value for argument `mode`. Expected one of {'rows', 'columns'}. "
                f"Received: mode={mode}"
            )
        self.mode = mode

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit the penalty.

        Raises:
            ValueError: if the value is not a matrix of known size.
        """
        shape = static_shape(x)
        if len(shape) != 2 or not all(isinstance(d, int) for d in shape):
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2 and known sizes. "
                f"Received: inputs.shape={shape}"
            )
        axis = 1 if self.mode == "rows" else 0
        norm = op.Sqrt(op.Max(op.ReduceSumSquare(x, [axis]), 1e-12))
        unit = op.Div(x, norm)
        turned = op.Transpose(unit, perm=[1, 0])
        cosines = op.MatMul(unit, turned) if axis == 1 else op.MatMul(turned, unit)
        size = int(static_shape(cosines)[0] or 0)
        others = (1.0 - np.eye(size)).astype(dtype_name(x))
        pairs = max(size * (size - 1) / 2, 1)
        total = op.ReduceL1(op.Mul(cosines, others), keepdims=0)
        return op.Mul(total, 0.5 * self.factor / pairs)


orthogonal_regularizer = OrthogonalRegularizer
"""The class by the name that Keras has for it, too."""


class FunctionRegularizer(FromUserFunction, Regularizer):
    """A user's function `(op, x)`, or `(x)` on tensors, to a scalar.

    Args:
        function: emits the penalty.
    """

    def __init__(self, function: Callable[[Emitter, ir.Value], ir.Value]) -> None:
        self._emission = emission_of(function, "regularizer", "op", "x")
        super().__init__(function)

    def _penalty(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Call the function."""
        penalty: ir.Value = self._emission(op, x)
        return penalty


def penalty_of(op: Emitter, regularizer: Regularizer, x: ir.Value | Variable) -> ir.Value:
    """Emit the penalty on a weight or a value.

    Args:
        op: emitter of the graph.
        regularizer: gives the penalty; one that is written on tensors sees a weight in the Keras
            layout, others see it in that of ONNX.
        x: a value, or a weight.

    Returns:
        A scalar.
    """
    if isinstance(x, Variable):
        x = Trace.inside(op).read(x) if sees_tensors(regularizer) else op.read(x)
    if not _is_own(regularizer):
        return regularizer._penalty(op, x)
    value: ir.Value = emit_method(regularizer, "Regularizer", "__call__", ("x",), op, x)
    return value


def _is_own(regularizer: Regularizer) -> bool:
    """Whether a class of the user's defines the penalty."""
    return type(regularizer).__call__ is not Regularizer.__call__


def sees_tensors(regularizer: Regularizer) -> bool:
    """Whether a regularizer is written on tensors, so that it sees weights in the Keras layout."""
    if isinstance(regularizer, FunctionRegularizer):
        return isinstance(regularizer._emission, OnTensors)
    return _is_own(regularizer) and works_on_tensors(regularizer.__call__, "regularizer", "op", "x")


def activity_penalty(op: Emitter, regularizer: Regularizer, y: ir.Value) -> ir.Value:
    """Emit the penalty on a layer's output, divided by the size of the batch.

    The loss of a batch is a mean, too: so the strength does not depend on how data are batched.

    Args:
        op: emitter of the graph.
        regularizer: what penalises.
        y: the output, batch first; a value without axes has no batch.

    Returns:
        A scalar.
    """
    penalty = penalty_of(op, regularizer, y)
    if y.shape is not None and len(y.shape) == 0:
        return penalty
    size = None if y.shape is None else y.shape[0]
    if isinstance(size, int):
        return op.Div(penalty, float(size))
    counted = op.Squeeze(op.Shape(y, start=0, end=1), [0])
    return op.Div(penalty, op.cast(counted, dtype_name(penalty)))


l1, l2, l1_l2 = L1, L2, L1L2
"""The classes by the names that Keras has for them, too."""


@register("regularizer", "l1l2", "l1_l2")
def l1_and_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """By its name the penalty has the strengths that `"l1"` and `"l2"` have."""
    return L1L2(l1, l2)


def get(identifier: Any) -> Regularizer | None:
    """Return the regularizer that `identifier` stands for.

    Args:
        identifier: None, a `Regularizer` or its class, a name (`"l2"`), a dict from `serialize`,
            or a function `(op, x)` that emits a scalar.

    Returns:
        A regularizer, or None for None.

    Raises:
        ValueError: if it stands for none.

    Example:
        >>> get("l2")
        L2(l2=0.01)
    """
    return deserialize(identifier)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Return a regularizer as plain values that JSON can hold; `get` turns them back.

    A user's own function or class is saved by its name alone: to load it, pass it in
    `custom_objects`.

    Example:
        >>> serialize(L2(0.5))
        {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    if regularizer is None:
        return None
    return catalogue.serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Regularizer | None:
    """Make a regularizer from the configuration returned by `serialize`.

    Args:
        config: the dict, or whatever else `get` takes.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        A regularizer; None for None.

    Raises:
        ValueError: if it stands for none.
    """
    if config is None:
        return None
    found: Regularizer = catalogue.get(
        "regularizer", config, Regularizer, wrap=FunctionRegularizer, custom_objects=custom_objects
    )
    return found


def _finite(name: str, value: float) -> float:
    """Return a factor as a float, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        legal = False
    else:
        legal = bool(np.isfinite(value))
    if not legal:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. Received: {value}"
        )
    return float(value)
