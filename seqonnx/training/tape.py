"""Gradients in functions of one's own: a tape, and a function with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Self

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff import backward
from seqonnx.autodiff.function_calls import functions_as_calls
from seqonnx.autodiff.rule_emitter import by_rule
from seqonnx.graph import Trace, TracedTensor, Variable, current_trace, static_shape
from seqonnx.structures import put_back, take_out
from seqonnx.training.compiled_function import function


class GradientTape:
    """Differentiates what is computed inside, in a `train_step` or a compiled function.

    The graph is the tape: nothing has to be recorded or watched.

    Args:
        persistent: accepted as in TensorFlow; a tape may always be asked again.
        watch_accessed_variables: as in TensorFlow; every variable and tensor is watched.

    Raises:
        RuntimeError: outside of a `train_step` and of `seqonnx.function`.

    Example:
        >>> w = Variable(np.array(3.0, np.float32), "w")
        >>> @function
        ... def slope(x):
        ...     with GradientTape() as tape:
        ...         y = x * w * w
        ...     return tape.gradient(y, w)
        >>> float(slope(np.float32(2.0)))
        12.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables
        self._trace: Trace | None = None
        self._seen: dict[Variable, ir.Value] | None = None

    def __enter__(self) -> Self:
        trace = current_trace()
        if trace is None:
            raise RuntimeError(
                "`GradientTape` works where a graph is made: in a `train_step`, or in a function "
                "that `seqonnx.function` compiles."
            )
        self._trace, self._seen = trace, None
        return self

    def __exit__(self, *error: object) -> None:
        assert self._trace is not None
        self._seen = self._trace.op.values_now()

    def watch(self, tensor: Any) -> None:
        """Do nothing: all tensors are watched."""

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
    ) -> Any:
        """Return the gradient of a tensor, or of the sum of its elements.

        Args:
            target: the tensor, or several, whose sum is differentiated.
            sources: variables or tensors: one, or a structure of them.
            output_gradients: gradient of the loss with respect to the target; default ones.
            unconnected_gradients: `"none"`, or `"zero"` for zeros in the place of None.

        Returns:
            Tensors in the structure of the sources; None where the target does not depend on one.

        Raises:
            GradientError: if an operator between them has no gradient rule.
            ValueError: for an unknown `unconnected_gradients`.
        """
        if unconnected_gradients not in {"none", "zero"}:
            raise ValueError(
                "`unconnected_gradients` must be 'none' or 'zero'. Received: "
                f"unconnected_gradients={unconnected_gradients!r}"
            )
        trace = self._trace
        if trace is None:
            raise RuntimeError("`gradient` is called after `with GradientTape() as tape:`.")
        found: list[Any] = []
        pattern = take_out(sources, lambda part: isinstance(part, Variable | TracedTensor), found)
        seen = trace.op.values_now() if self._seen is None else self._seen
        grads = _gradients(trace, target, output_gradients, found, seen)
        if unconnected_gradients == "zero":
            pairs = zip(grads, found, strict=True)
            grads = [_zeros_like(trace, of) if grad is None else grad for grad, of in pairs]
        return put_back(pattern, grads)


def value_and_grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    variables: Sequence[Variable] | None = None,
) -> Callable[..., Any]:
    """Return a function that gives the value of another one and its gradient.

    Args:
        f: a function of tensors that returns a scalar; of a larger result the sum is
            differentiated. It may use layers, models, losses and `seqonnx.ops`.
        argnums: number of the argument to differentiate with respect to, or several numbers.
        has_aux: whether `f` returns a pair, of which the second part is only passed on.
        variables: variables to differentiate with respect to, in place of arguments.

    Returns:
        A function of the same arguments. It returns `(value, gradient)`, or
        `((value, aux), gradient)`. On arrays it is compiled once for each kind of data and
        returns arrays; in a `train_step` or another compiled function it works on tensors.

    Example:
        >>> from seqonnx import ops
        >>> value, grad = value_and_grad(lambda x: ops.sum(x * x))(np.array([1.0, 2.0]))
        >>> float(value), grad.tolist()
        (5.0, [2.0, 4.0])
    """

    def traced_call(*args: Any, **kwargs: Any) -> Any:
        with GradientTape() as tape:
            result = f(*args, **kwargs)
        value, aux = result if has_aux else (result, None)
        if variables is not None:
            grads = tape.gradient(value, list(variables))
        elif isinstance(argnums, int):
            grads = tape.gradient(value, args[argnums])
        else:
            grads = tuple(tape.gradient(value, args[number]) for number in argnums)
        return ((value, aux) if has_aux else value), grads

    compiled = function(traced_call)

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        """Compute, or emit in a trace."""
        chosen = traced_call if current_trace() is not None else compiled
        return chosen(*args, **kwargs)

    return call


def grad(
    f: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    variables: Sequence[Variable] | None = None,
) -> Callable[..., Any]:
    """Return a function that gives the gradient of another one.

    Args:
        f: see `value_and_grad`.
        argnums: see `value_and_grad`.
        variables: see `value_and_grad`.

    Example:
        >>> grad(lambda x: x * x * x)(np.float32(2.0)).tolist()
        12.0
    """
    both = value_and_grad(f, argnums, variables=variables)

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        """Compute the gradient."""
        return both(*args, **kwargs)[1]

    return call


def _gradients(
    trace: Trace,
    target: Any,
    seeds: Any,
    sources: Sequence[Any],
    seen: dict[Variable, ir.Value],
) -> list[TracedTensor | None]:
    """The gradient with respect to each source, in the Keras layout."""
    op = trace.op
    targets = [trace.value(part) for part in _listed(target)]
    if seeds is None:
        starts = [_filled_like(trace, value, 1.0) for value in targets]
    else:
        starts = [trace.value(part) for part in _listed(seeds)]
    places = [
        seen.get(source) if isinstance(source, Variable) else trace.value(source)
        for source in sources
    ]
    known = [place for place in places if place is not None]
    device, choose = getattr(trace, "device", "cpu"), getattr(trace, "choose", by_rule)
    found: Iterator[ir.Value | None] = iter([])
    with functions_as_calls(op) as stands:
        pairs = [(stands.get(v, v), start) for v, start in zip(targets, starts, strict=True)]
        known = [stands.get(value, value) for value in known]
        if len(known) > 0:
            found = iter(backward(op, pairs, known, device=device, choose=choose))
    grads: list[TracedTensor | None] = []
    for source, place in zip(sources, places, strict=True):
        value = None if place is None else next(found)
        if value is not None and isinstance(source, Variable):
            value = trace._shown(source, value)
        grads.append(None if value is None else TracedTensor(value))
    return grads


def _listed(part: Any) -> list[Any]:
    return list(part) if isinstance(part, list | tuple) else [part]


def _zeros_like(trace: Trace, source: Any) -> TracedTensor:
    return TracedTensor(_filled_like(trace, trace.value(source), 0.0))


def _filled_like(trace: Trace, value: ir.Value, number: float) -> ir.Value:
    """A value of the shape and dtype of another one, all of one number."""
    op, shape = trace.op, static_shape(value)
    if all(isinstance(size, int) for size in shape):
        array = np.full(tuple(int(size or 0) for size in shape), number, np.float32)
        return op.cast(op.constant(array), str(TracedTensor(value).dtype))
    filled = op.Expand(op.constant(np.asarray(number, np.float32)), op.Shape(value))
    return op.cast(filled, str(TracedTensor(value).dtype))
