"""Functions of tensors: one emission, used on arrays, on symbolic tensors and in traces.

A function is written once, as an emission `fn(op, x, ...)` on values of a graph. Called with an
emitter it emits. Called on arrays it is compiled, kept and run. Called on symbolic tensors it
becomes a node of the layer graph, saved by its name and arguments. In a trace (a user's `call`
that works on tensors) it emits into the graph that is being made.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import update_wrapper
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.graph import Emitter, Trace, TracedTensor, Variable, current_trace
from seqonnx.graph.operable import Valueless
from seqonnx.graph.tracing import as_array, traced
from seqonnx.runtime.program import run_emission
from seqonnx.structures import holds, put_back, take_out

Emission = TypeVar("Emission", bound=Callable[..., Any])


class TensorFunction:
    """A function of tensors; see the module.

    Args:
        emission: `fn(op, x, ...)` on values of a graph; returns a value, or a structure of them.
            A parameter declared as `ir.Value` gets one, also of a number or a list; others get
            numbers, lists and strings as they were given.

    Example:
        >>> @TensorFunction
        ... def double(op, x):
        ...     return op.Add(x, x)
        >>> double(np.ones(2, np.float32)).tolist()
        [2.0, 2.0]
    """

    __name__: str
    __qualname__: str

    def __init__(self, emission: Callable[..., Any]) -> None:
        update_wrapper(self, emission)
        self.emission = emission
        signature = inspect.signature(emission)
        parameters = list(signature.parameters.values())[1:]
        self.__signature__ = signature.replace(parameters=parameters)
        self._tensors = frozenset(
            parameter.name for parameter in parameters if str(parameter.annotation) == "ir.Value"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Emit, compute, or extend a model; see the module."""
        if len(args) > 0 and isinstance(args[0], Emitter):
            return self.emission(*args, **kwargs)
        arguments = self._by_name(args, kwargs)
        trace = current_trace()
        if trace is not None:
            if holds(arguments, Valueless) and not _holds_traced_alone(arguments):
                raise RuntimeError(
                    f"`{self.__name__}` was called in a trace on a symbolic tensor from outside: "
                    f"{arguments}. A function that is given to `cond`, `while_loop` or `scan` gets "
                    "its tensors as arguments, or it is called in the `call` of a layer."
                )
            return traced(self.emitted(trace.op, values_in(trace, self._arrays(arguments))))
        if holds(arguments, TracedTensor):
            raise RuntimeError(
                f"`{self.__name__}` was called on a tensor of a graph that is finished: {arguments}"
                ". Such tensors live only inside of the `call` that they were given to."
            )
        if holds(arguments, Valueless):
            return catalogue.find("layer", "Operation")(catalogue.saved_name(self)).record(
                arguments
            )
        return self._compute(self._arrays(arguments))

    def emitted(self, op: Emitter, arguments: Mapping[str, Any]) -> Any:
        """Emit, with the arguments by name; those behind a `*` are a tuple.

        Args:
            op: emitter of the graph.
            arguments: values of the graph and constants.
        """
        bound = inspect.BoundArguments(self.__signature__, OrderedDict(arguments))
        return self.emission(op, *bound.args, **bound.kwargs)

    def _by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that were given, by name."""
        try:
            return dict(self.__signature__.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(
                f"`{self.__name__}` {error}. It is called as {self.__name__}{self.__signature__}."
            ) from None

    def _arrays(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with numbers and lists made arrays where a tensor is wanted."""
        return {
            name: as_tensor(value) if name in self._tensors else value
            for name, value in arguments.items()
        }

    def _compute(self, arguments: dict[str, Any]) -> Any:
        """Compute on arrays."""
        seed = self._seed(arguments)
        found: list[Any] = []
        pattern = take_out(arguments, _is_data, found)
        functions: list[Any] = []
        take_out(arguments, callable, functions)
        # Nobody sees what a user's function reads besides its arguments, and when that changes.
        known = all(isinstance(function, TensorFunction | type) for function in functions)

        def emit(op: Emitter, values: list[Any]) -> Any:
            return self.emitted(op, put_back(pattern, values))

        arrays = [_computed_with(part) for part in found]
        key = ("function", self.__name__, repr(pattern), *functions)
        return run_emission(emit, [], key=key if known else None, fixed=arrays, seed=seed)

    def _seed(self, arguments: dict[str, Any]) -> int:
        """The seed of the noise in a call on arrays; taken out of the arguments."""
        return 0

    def __reduce__(self) -> str:
        """Return the name that a copy finds the function by, as those of Python's are."""
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<function {self.__name__}{self.__signature__}>"


@overload
def tensor_function(*names: str) -> Callable[[Emission], Emission]: ...


@overload
def tensor_function(*names: str, kind: str) -> Callable[[Callable[..., Any]], TensorFunction]: ...


def tensor_function(*names: str, kind: str = "op") -> Any:
    """Decorate the emission of a function of tensors; it enters the catalogue by its name.

    Args:
        *names: further names.
        kind: the kind in the catalogue.

    Returns:
        A decorator. The type of what it gives is that of the emission, for functions of
        `seqonnx.ops`: in this house they call each other with the emitter.
    """

    def enter(emission: Callable[..., Any]) -> TensorFunction:
        return catalogue.register(kind, *names)(TensorFunction(emission))

    return enter


def evaluate(emission: Callable[..., Any], *tensors: Any, key: Hashable) -> Any:
    """Emit in a trace, or compute on arrays: for objects that are called on tensors.

    Args:
        emission: `fn(op, *values)`.
        *tensors: tensors of the trace, or arrays.
        key: what the emission depends on besides shapes and dtypes (see `run_emission`).

    Raises:
        TypeError: for symbolic tensors.
    """
    trace = current_trace()
    if trace is not None:
        return traced(emission(trace.op, *(trace.value(tensor) for tensor in tensors)))
    if holds(tensors, Valueless):
        raise TypeError(
            f"Only layers and the functions of `seqonnx.ops` can be called on symbolic tensors. "
            f"Put the call into the `call` of a layer of your own, or into a `Lambda` layer. "
            f"Received: {tensors}"
        )
    arrays = [_computed_with(tensor) for tensor in tensors]
    return run_emission(lambda op, values: emission(op, *values), [], key=key, fixed=arrays)


def as_tensor(x: Any) -> Any:
    """Return a number or a list as an array; tensors, variables and None as they are."""
    if x is None or isinstance(x, Valueless | Variable | np.ndarray):
        return x
    return as_array(x)


def values_in(trace: Trace, arguments: Any) -> Any:
    """Return arguments with a value of the graph in the place of each tensor, variable and array.

    Args:
        trace: the trace of the graph.
        arguments: a structure.
    """
    found: list[Any] = []
    pattern = take_out(
        arguments, lambda part: isinstance(part, TracedTensor) or _is_data(part), found
    )
    return put_back(pattern, [trace.value(part) for part in found])


def _holds_traced_alone(arguments: Any) -> bool:
    """Whether all tensors without values in the arguments are those of a trace."""
    found: list[Any] = []
    take_out(arguments, lambda part: isinstance(part, Valueless), found)
    return all(isinstance(part, TracedTensor) for part in found)


def _is_data(part: Any) -> bool:
    """Whether a part of the arguments is an array, a variable, or what NumPy makes an array of.

    A number of NumPy is a constant, as one of Python's is: it may be an axis or a size.
    """
    if isinstance(part, Variable | np.ndarray):
        return True
    kinds = np.generic | Valueless | ir.Value | type
    return not isinstance(part, kinds) and getattr(part, "__array__", None) is not None


def _computed_with(part: Any) -> npt.NDArray[Any]:
    """An array as functions compute with it: float64 becomes float32, as in layers."""
    array = as_array(part)
    return array.astype("float32") if array.dtype == np.float64 else array
