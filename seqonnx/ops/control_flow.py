"""Computations that depend on values: choices and loops, with the user's functions as bodies.

A body is traced into a graph of its own, which may read tensors of the graph around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, Trace, current_trace, dtype_name, ir_dtype, static_shape
from seqonnx.graph.scan_body import BodyEmitter, ScanBody, qualify
from seqonnx.graph.tracing import traced, tracing
from seqonnx.ops.arranging import flip
from seqonnx.ops.promotion import result_type, tensor
from seqonnx.ops.sizes import axis_of, counted, given_sizes, rank_of, scalar
from seqonnx.structures import put_back, take_out
from seqonnx.tensor_function import tensor_function

Function = Callable[..., Any]


class _Body:
    """A body in the making.

    Args:
        op: emitter of the graph around.
        name: what the body is.
    """

    def __init__(self, op: Emitter, name: str) -> None:
        self.prefix = op.unique_name(name)
        self.op = BodyEmitter(op, self.prefix)

    def input(self, name: str, dtype: str, shape: Sequence[Dim]) -> ir.Value:
        """Declare an input."""
        return self.op.input(f"{self.prefix}/{name}", dtype, shape)

    def close(self, values: Sequence[ir.Value]) -> ir.Graph:
        """Declare the outputs; returns the graph."""
        for value in values:
            self.op.output(self.op.Identity(value), f"{self.prefix}/result")
        qualify(self.op.graph, self.prefix)
        return self.op.graph


def _called(op: Emitter, function: Function, *arguments: Any) -> tuple[Any, list[ir.Value]]:
    """Call a user's function in a trace; returns the pattern of what it gives, and its values."""
    outer = current_trace()
    trace = Trace.inside(op, outer is not None and outer.training)
    with tracing(trace):
        result = trace.values(function(*traced(list(arguments))))
    values: list[ir.Value] = []
    return take_out(result, lambda part: isinstance(part, ir.Value), values), values


def _taken(structure: Any, op: Emitter) -> tuple[Any, list[ir.Value]]:
    """A structure of tensors and numbers as a pattern and values."""
    values: list[Any] = []
    pattern = take_out(structure, _is_number_or_value, values)
    return pattern, [tensor(op, value) for value in values]


def _is_number_or_value(part: Any) -> bool:
    return isinstance(part, ir.Value | int | float | np.generic)


@tensor_function()
def cond(op: Emitter, pred: Any, true_fn: Function, false_fn: Function) -> Any:
    """Return what one of two functions gives; the other is not computed.

    Args:
        pred: scalar; True calls the first.
        true_fn: function without arguments; may use tensors around it.
        false_fn: function without arguments that gives tensors of the same shapes and dtypes.

    Raises:
        ValueError: if the two give different structures.

    Example:
        >>> cond(True, lambda: 1.0, lambda: 2.0)
        1.0
    """
    if isinstance(pred, bool | np.bool_):
        pattern, values = _called(op, true_fn if pred else false_fn)
        return put_back(pattern, values)
    flag = op.cast(tensor(op, pred), "bool")
    flag = op.Reshape(flag, np.array([], np.int64)) if rank_of(flag) > 0 else flag
    bodies = [_Body(op, name) for name in ("then_branch", "else_branch")]
    (pattern, first), (other, second) = (
        _called(body.op, function)
        for body, function in zip(bodies, (true_fn, false_fn), strict=True)
    )
    if pattern != other:
        raise ValueError(
            "`true_fn` and `false_fn` must return structures of the same form. "
            f"Received: {pattern} and {other}"
        )
    if len(first) == 0:
        return pattern
    kinds = [result_type(a, b) for a, b in zip(first, second, strict=True)]
    graphs = [
        body.close([body.op.cast(v, kind) for v, kind in zip(values, kinds, strict=True)])
        for body, values in zip(bodies, (first, second), strict=True)
    ]
    made = op.emit(
        "If",
        [flag],
        {"then_branch": graphs[0], "else_branch": graphs[1], "_outputs": len(first)},
    )
    shapes = [_common(a, b) for a, b in zip(first, second, strict=True)]
    return put_back(pattern, _noted(made, kinds, shapes))


@tensor_function()
def switch(op: Emitter, index: Any, branches: Sequence[Function], *operands: Any) -> Any:
    """Return what one of several functions gives; the others are not computed.

    Args:
        index: scalar integer: which; too small is the first, too large the last.
        branches: functions of the operands.
        *operands: tensors.
    """
    which = tensor(op, index)

    def from_on(op: Emitter, number: int) -> Any:
        def call() -> Any:
            return branches[number](*traced(list(operands)))

        if number == len(branches) - 1:
            return put_back(*_called(op, call))
        return cond(op, op.LessOrEqual(which, number), call, rest(number + 1))

    def rest(number: int) -> Function:
        def choose() -> Any:
            trace = current_trace()
            assert trace is not None
            return traced(from_on(trace.op, number))

        return choose

    return from_on(op, 0)


@tensor_function()
def while_loop(
    op: Emitter,
    cond: Function,
    body: Function,
    loop_vars: Any,
    maximum_iterations: Any = None,
) -> Any:
    """Return variables, changed as long as a condition holds.

    Args:
        cond: function of the variables that gives a bool.
        body: function of the variables that gives their new values, of the same dtypes.
        loop_vars: the variables at first: a tensor, or a list or tuple.
        maximum_iterations: the largest number of changes; default: no limit.

    Example:
        >>> while_loop(lambda i: i < 10, lambda i: i * 2, 3)
        12
    """
    several = isinstance(loop_vars, list | tuple)
    pattern, initial = _taken(loop_vars if several else [loop_vars], op)

    def goes_on(inside: Emitter, values: list[ir.Value]) -> ir.Value:
        _, (flag,) = _called(inside, cond, *put_back(pattern, values))
        return inside.Reshape(inside.cast(flag, "bool"), np.array([], np.int64))

    def step(inside: Emitter, number: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        given = put_back(pattern, values)
        return _called(inside, body, *given)[1]

    limit = None if maximum_iterations is None else scalar(op, given_sizes(maximum_iterations)[0])
    results = looped(op, limit, goes_on, step, initial)
    found = put_back(pattern, results)
    return found if several else found[0]


@tensor_function()
def fori_loop(op: Emitter, lower: Any, upper: Any, body_fun: Function, init_val: Any) -> Any:
    """Return a value that a function has changed once for each number.

    Args:
        lower: the first number.
        upper: the end: one more than the last.
        body_fun: function of the number and the value that gives the new value.
        init_val: the value at first: a tensor, or a structure of them.
    """
    pattern, initial = _taken(init_val, op)
    first, end = (op.cast(tensor(op, bound), "int64") for bound in (lower, upper))

    def step(inside: Emitter, number: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        at = inside.cast(inside.Add(number, first), "int32")
        return _called(inside, body_fun, at, put_back(pattern, values))[1]

    count = op.Max(op.Sub(end, first), np.array(0, np.int64))
    return put_back(pattern, looped(op, count, None, step, initial))


def looped(
    op: Emitter,
    limit: ir.Value | None,
    goes_on: Callable[[Emitter, list[ir.Value]], ir.Value] | None,
    step: Callable[[Emitter, ir.Value, list[ir.Value]], list[ir.Value]],
    initial: list[ir.Value],
) -> list[ir.Value]:
    """Append a Loop whose states keep dtype and rank.

    Args:
        op: emitter of the graph around.
        limit: the number of steps, or the largest; None: no limit.
        goes_on: emits whether there is a next step, from the states; None: always.
        step: emits the new states from the number of the step and the states.
        initial: the states at first.

    Returns:
        The last states.
    """
    body = _Body(op, "loop")
    number, flag = body.input("number", "int64", ()), body.input("goes_on", "bool", ())
    states = [body.input("state", dtype_name(x), static_shape(x)) for x in initial]
    new = step(body.op, number, states)
    if len(new) != len(initial):
        raise ValueError(
            f"The body of a loop must return as many tensors as it gets, {len(initial)}. "
            f"Received: {len(new)}"
        )
    new = [body.op.cast(value, dtype_name(x)) for value, x in zip(new, initial, strict=True)]
    after = body.op.Identity(flag) if goes_on is None else goes_on(body.op, new)
    first = op.constant(np.array(True)) if goes_on is None else goes_on(op, initial)
    shapes = [_common(a, b) for a, b in zip(initial, new, strict=True)]
    made = op.emit(
        "Loop",
        [limit, first, *initial],
        {"body": body.close([after, *new]), "_outputs": len(initial)},
    )
    return _noted(made, [dtype_name(x) for x in initial], shapes)


@tensor_function()
def scan(
    op: Emitter,
    f: Function,
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Return a state that a function has changed for each part of tensors, and what it gave.

    Args:
        f: function of the state and a part that gives the new state and a result, or None.
        init: the state at first: a tensor, or a structure of them.
        xs: tensors whose parts along the first axis are taken one after the other; or None.
        length: how many steps, where there are no tensors.
        reverse: whether the last part is the first; results keep the order of the parts.
        unroll: a hint that changes nothing here.

    Returns:
        The last state, and the results along a first axis.

    Raises:
        TypeError: if `f` is no function.
        ValueError: if neither `xs` nor `length` is given, or `unroll` is not positive.
    """
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(
            f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}"
        )
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    pattern, initial = _taken(init, op)
    parts, sequences = _taken(xs, op)
    if len(sequences) == 0:
        sequences = [counted(op, given_sizes(length)[0])]
    making = ScanBody(op, "scan", backwards=reverse)
    values = [making.state(value) for value in initial]
    values += [making.element(sequence) for sequence in sequences]
    count = len(initial)

    def step(*tensors: Any) -> Any:
        part = None if xs is None else put_back(parts, tensors[count:])
        return f(put_back(pattern, tensors[:count]), part)

    given, made = _called(making.body, step, *values)
    inside = making.body
    new = [inside.cast(v, dtype_name(x)) for v, x in zip(made, initial, strict=False)]
    last, results = making.run(
        [inside.Identity(value) for value in new],
        [inside.Identity(value) for value in made[count:]],
    )
    state, result = put_back(given, [*last, *results])
    return state, result


@tensor_function()
def map(op: Emitter, f: Function, xs: Any) -> Any:
    """Return what a function gives for each part of tensors, along a first axis.

    Args:
        f: function of a part.
        xs: a tensor, or a structure of them, whose parts along the first axis are taken.
    """
    return scan(op, lambda state, part: (state, f(part)), (), xs)[1]


@tensor_function()
def vectorized_map(op: Emitter, function: Function, elements: Any) -> Any:
    """Return what a function gives for each part of tensors, along a first axis; as `map`."""
    return map(op, function, elements)


@tensor_function()
def associative_scan(
    op: Emitter, f: Function, elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Return what a function of two makes of all parts so far: sums, products, maxima.

    Args:
        f: function of two structures like `elems` that gives one; how parts are grouped must not
            matter.
        elems: a tensor, or a structure of them; the size of `axis` must be known.
        reverse: whether it goes from the end to the beginning.
        axis: the axis.

    Raises:
        TypeError: if `f` is no function.
        ValueError: if a size is not known, or they differ.
    """
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    pattern, values = _taken(elems, op)
    axes = [axis_of(axis, rank_of(value)) for value in values]
    sizes = {static_shape(value)[at] for value, at in zip(values, axes, strict=True)}
    (size,) = sizes if len(sizes) == 1 else (None,)
    if not isinstance(size, int):
        raise ValueError(
            "Array inputs to associative_scan must have the same first dimension, which is known. "
            f"(saw: {[static_shape(value) for value in values]})"
        )
    if reverse:
        values = [flip(op, value, at) for value, at in zip(values, axes, strict=True)]
    reach = 1
    # What is so far for 1, 2, 4, ... parts back is doubled each time (Hillis and Steele, 1986).
    while reach < size:
        parts = list(zip(values, axes, strict=True))
        earlier = [op.Slice(value, [0], [-reach], [at]) for value, at in parts]
        later = [op.Slice(value, [reach], [size], [at]) for value, at in parts]
        first = [op.Slice(value, [0], [reach], [at]) for value, at in parts]
        _, made = _called(op, f, put_back(pattern, earlier), put_back(pattern, later))
        values = [
            op.Concat(head, tail, axis=at) for head, tail, at in zip(first, made, axes, strict=True)
        ]
        reach *= 2
    if reverse:
        values = [flip(op, value, at) for value, at in zip(values, axes, strict=True)]
    return put_back(pattern, values)


def _common(first: ir.Value, second: ir.Value) -> list[Dim]:
    """The shape of a value that is one of two."""
    a, b = static_shape(first), static_shape(second)
    if len(a) != len(b):
        raise ValueError(
            "What a choice or a loop gives must have one number of axes. "
            f"Received: shapes {a} and {b}"
        )
    return [n if n == m else None for n, m in zip(a, b, strict=True)]


def _noted(made: Any, kinds: Sequence[str], shapes: Sequence[Sequence[Dim]]) -> list[ir.Value]:
    """Outputs of a node with a body, with the types that inference may not know."""
    values = [made] if isinstance(made, ir.Value) else list(made)
    for value, kind, shape in zip(values, kinds, shapes, strict=True):
        value.type, value.shape = ir.TensorType(ir_dtype(kind)), ir.Shape(shape)
    return values
