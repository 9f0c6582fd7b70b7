"""Traces: a user's function written on tensors, called once, emits the nodes of a graph.

In a trace every function of `seqonnx.ops` emits, layers emit in place, and variables stand for
their values in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import defaults, dtypes
from seqonnx.graph.emitter import Emitter
from seqonnx.graph.operable import TRACE, Valueless, apply_op
from seqonnx.graph.reading import dtype_name, static_shape
from seqonnx.graph.signatures import described, works_on_tensors
from seqonnx.graph.variable import Variable
from seqonnx.structures import put_back, take_out


class TracedTensor(Valueless):
    """A tensor in a user's `call`: a value of the graph that is being emitted.

    Args:
        value: the value of the graph.

    Example:
        >>> op = Emitter()
        >>> TracedTensor(op.input("x", "float32", ("batch", 4)))
        <TracedTensor shape=(None, 4), dtype=float32, name=x>
    """

    def __init__(self, value: ir.Value) -> None:
        self._value = value

    @property
    def shape(self) -> tuple[int | None, ...]:  # type: ignore[override]  # an attribute elsewhere
        """Sizes; None where one is known only when the graph runs."""
        return tuple(d if isinstance(d, int) else None for d in static_shape(self._value))

    @property
    def ndim(self) -> int:
        """Rank."""
        return len(self.shape)

    @property
    def dtype(self) -> str:
        """Dtype, such as `"float32"`."""
        return dtype_name(self._value)

    @property
    def name(self) -> str:
        """Name of the value in the graph."""
        return str(self._value.name)

    def with_sizes(self, sizes: Sequence[int | None], source: str) -> TracedTensor:
        """Declare sizes that the graph does not tell.

        Args:
            sizes: for each axis a size, or None for one that is not declared.
            source: where they are declared, for the error.

        Raises:
            ValueError: if the graph tells others.
        """
        known = static_shape(self._value)
        fits = len(known) == len(sizes) and all(
            size is None or not isinstance(d, int) or d == size
            for d, size in zip(known, sizes, strict=True)
        )
        if not fits:
            raise ValueError(f"{source} is {tuple(sizes)}, but the tensor is {self!r}.")
        pairs = zip(known, sizes, strict=True)
        self._value.shape = ir.Shape([d if size is None else size for d, size in pairs])
        return self

    def __eq__(self, other: object) -> Any:
        return apply_op("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return apply_op("not_equal", self, other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<TracedTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Trace:
    """The making of a graph by a user's function.

    Args:
        op: emitter of the graph.
        training: whether the graph is for a training step.
        read_as: values that stand for variables, in place of the variables' own.
    """

    def __init__(
        self, op: Emitter, training: bool, read_as: dict[Variable, ir.Value] | None = None
    ) -> None:
        self.op = op
        self.training = training
        self.may_train = training
        """Whether a layer may be called with `training=True`."""
        self.assigned: dict[Variable, ir.Value] = {} if read_as is None else read_as

    @classmethod
    def inside(cls, op: Emitter, training: bool = False) -> Trace:
        """Return a trace of a graph that sees what an outer trace of it has assigned.

        Args:
            op: emitter of the graph.
            training: whether the graph is for a training step.
        """
        outer = current_trace()
        shared = outer.assigned if outer is not None and outer.op is op else None
        return cls(op, training, shared)

    def value(self, x: Any, dtype: str | None = None) -> Any:
        """Return the graph value that stands for a tensor, a variable, an array or a number.

        Args:
            x: what the user's function works with; None stays None.
            dtype: dtype of a number or list that has none of its own.
        """
        if x is None or isinstance(x, ir.Value):
            return x
        if isinstance(x, TracedTensor):
            return x._value
        if isinstance(x, Variable):
            return self.read(x)
        return self.op.constant(as_array(x, dtype))

    def values(self, structure: Any) -> Any:
        """Return a structure with a graph value in the place of each tensor, array and number."""
        found: list[Any] = []
        pattern = take_out(structure, _is_tensor, found)
        return put_back(pattern, [self.value(part) for part in found])

    def read(self, variable: Variable) -> ir.Value:
        """Return the value of a variable: the last that was assigned in this graph."""
        value = self.assigned.get(variable, self.op.updated(variable))
        if value is None:
            value = self.op.read(variable)
        shown = self._shown(variable, value)
        wanted = self.op.computing_dtype
        cast = variable._autocast and dtypes.is_float(variable.dtype)
        return shown if wanted is None or not cast else self.op.cast(shown, wanted)

    def assign(self, variable: Variable, value: Any) -> None:
        """Note that a run of the graph replaces the value of a variable."""
        new = self.op.cast(self.value(value, variable.dtype), variable.dtype)
        shape = tuple(d if isinstance(d, int) else None for d in static_shape(new))
        fits = len(shape) == variable.ndim and all(
            have in (None, want) for have, want in zip(shape, variable.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"The shape of the target variable and the shape of the target value must match. "
                f"Variable {variable.path} has shape {variable.shape}. Received: "
                f"value.shape={shape}"
            )
        layout = variable._layout
        stored = new if layout is None else self.op.Transpose(new, perm=list(layout))
        if variable in self.assigned:
            self.assigned[variable] = stored
        else:
            self.op.update(variable, stored)

    def optimize(
        self,
        optimizer: Any,
        grads: Sequence[Any],
        variables: Sequence[Variable],
        weights: Sequence[Variable],
    ) -> None:
        """Take a step of an optimizer on tensors; a trace of a training step does so.

        Args:
            optimizer: the optimizer.
            grads: a gradient for each variable.
            variables: the variables that have one.
            weights: all variables of the optimizer.

        Raises:
            RuntimeError: in other traces.
        """
        raise RuntimeError(
            f"`apply` of {optimizer!r} works on tensors in a `train_step` or in a function that "
            "`seqonnx.function` compiles. It was called in the `call` of a layer or a loss."
        )

    def begin_call(self, layer: Any) -> None:
        """Note that a layer is called from the outside of all layers."""

    def _shown(self, variable: Variable, value: ir.Value) -> ir.Value:
        """The value in the Keras layout."""
        layout = variable._layout
        if layout is None:
            return value
        return self.op.Transpose(value, perm=[int(axis) for axis in np.argsort(layout)])


def traced(structure: Any) -> Any:
    """Return a structure with a tensor in the place of each graph value."""
    values: list[ir.Value] = []
    pattern = take_out(structure, lambda part: isinstance(part, ir.Value), values)
    return put_back(pattern, [TracedTensor(value) for value in values])


class OnTensors:
    """A user's function on tensors, called with the emitter and values of a graph.

    Args:
        function: `fn(x, ...)` on tensors.

    Example:
        >>> op = Emitter()
        >>> emit = OnTensors(lambda x: x)
        >>> emit(op, op.input("x", "float32", (2,))).name
        'x'
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = str(getattr(function, "__name__", type(function).__name__))

    def __call__(self, op: Emitter, *values: Any, **arguments: Any) -> ir.Value:
        """Emit what the function does; returns its one value."""
        trace = Trace.inside(op)
        with tracing(trace):
            result: ir.Value = trace.value(self.function(*traced(list(values)), **arguments))
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnTensors) and other.function == self.function

    def __hash__(self) -> int:
        return hash(self.function)


def emission_of(
    function: Callable[..., Any], what: str, *parameters: str, **arguments: Any
) -> Callable[..., Any]:
    """Return a user's function as one that is called with the emitter first.

    Args:
        function: written with the emitter first, or on tensors.
        what: what it is, such as `"loss"`.
        *parameters: names of what it will be given: `"op"`, `"x"`.
        **arguments: keyword arguments.

    Raises:
        TypeError: if it can be called in neither way.
    """
    if works_on_tensors(function, what, *parameters, **arguments):
        return OnTensors(function)
    return function


def emit_method(
    owner: object, kind: str, name: str, parameters: Sequence[str], op: Emitter, *values: Any
) -> Any:
    """Call a method that a user's class defines, in the spelling that it has.

    Args:
        owner: an object of the class.
        kind: what the class is, such as `"Loss"`.
        name: name of the method.
        parameters: its parameters after `op`.
        op: emitter of the graph.
        *values: a value for each of them.

    Raises:
        TypeError: if the method can be called in neither way.
    """
    method = getattr(owner, name)
    try:
        emit = emission_of(method, kind, "op", *parameters)
    except TypeError:
        given = ", ".join(parameters)
        raise TypeError(
            f"{kind} {type(owner).__name__} must define `{name}(self, op, {given})`: `op` has "
            f"every ONNX operator as a method; or `{name}(self, {given})`, on tensors, with the "
            f"functions of `seqonnx.ops`. Received: {described(method)}"
        ) from None
    return emit(op, *values)


def as_array(x: Any, dtype: str | None = None) -> npt.NDArray[Any]:
    """Return a number, a list or an array as an array.

    Args:
        x: what is given.
        dtype: dtype of what has none of its own: default int32 for integers, `config.floatx()` for
            others.

    Example:
        >>> as_array([1.5]).dtype.name, as_array(2).dtype.name
        ('float32', 'int32')
    """
    array = dtypes.to_array(x, None, "x")
    if getattr(x, "dtype", None) is not None:
        return array
    usual = {"i": "int32", "f": defaults.floatx()}.get(array.dtype.kind, array.dtype.name)
    return array.astype(dtype or usual)


@contextmanager
def tracing(trace: Trace | None) -> Iterator[None]:
    """Trace inside; None: no trace, so that calls on data compute.

    Example:
        >>> op = Emitter()
        >>> x = TracedTensor(op.input("x", "float32", (2,)))
        >>> with tracing(Trace(op, training=False)):
        ...     current_trace().value(x).name
        'x'
    """
    token = TRACE.set(trace)
    try:
        yield
    finally:
        TRACE.reset(token)


def _is_tensor(part: Any) -> bool:
    """Whether a part of what a user's function returns is a tensor."""
    kinds = TracedTensor | Variable | np.ndarray | np.generic | int | float
    return isinstance(part, kinds)


def current_trace() -> Trace | None:
    """Return the trace that is being made; None outside."""
    trace = TRACE.get()
    assert trace is None or isinstance(trace, Trace)
    return trace
