"""Functions of tensors: one emission, used on arrays, on symbolic tensors and in traces.

A function is written once, as an emission `fn(op, x, ...)` on values of a graph. Called with an
emitter it emits. Called on arrays it is compiled, kept and run. Called on symbolic tensors it
becomes a node of the layer graph, saved by its name and arguments. In a trace (a user's `call`
that works on tensors) it emits into the graph that is being made.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue, dtypes
from seqonnx.graph import Emitter, Trace, TracedTensor, Variable, current_trace
from seqonnx.graph.operable import Valueless
from seqonnx.graph.tracing import traced
from seqonnx.runtime.program import run_emission
from seqonnx.structures import holds, put_back, take_out


class TensorFunction:
    """A function of tensors; see the module.

    Args:
        emission: `fn(op, x, ...)` on values of a graph; returns a value, or a structure of them.
            Numbers, lists and strings come as they were given.

    Example:
        >>> @TensorFunction
        ... def double(op, x):
        ...     return op.Add(x, x)
        >>> double(np.ones(2, np.float32)).tolist()
        [2.0, 2.0]
    """

    __name__: str

    def __init__(self, emission: Callable[..., Any]) -> None:
        update_wrapper(self, emission)
        self.emission = emission
        signature = inspect.signature(emission)
        parameters = list(signature.parameters.values())[1:]
        self.__signature__ = signature.replace(parameters=parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Emit, compute, or extend a model; see the module."""
        if len(args) > 0 and isinstance(args[0], Emitter):
            return self.emission(*args, **kwargs)
        arguments = self._by_name(args, kwargs)
        trace = current_trace()
        if trace is not None:
            return traced(self.emitted(trace.op, values_in(trace, arguments)))
        if holds(arguments, TracedTensor):
            raise RuntimeError(
                f"`{self.__name__}` was called on a tensor of a graph that is finished: {arguments}"
                ". Such tensors live only inside of the `call` that they were given to."
            )
        if holds(arguments, Valueless):
            return catalogue.find("layer", "Operation")(self.__name__).record(arguments)
        return self._compute(arguments)

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

    def _compute(self, arguments: dict[str, Any]) -> Any:
        """Compute on arrays."""
        found: list[Any] = []
        pattern = take_out(arguments, _is_data, found)
        # A function is known by its identity, which lasts as long as the key that holds it.
        functions: list[Any] = []
        take_out(arguments, callable, functions)

        def emit(op: Emitter, values: list[Any]) -> Any:
            return self.emitted(op, put_back(pattern, values))

        key = ("function", self.__name__, repr(pattern), *functions)
        return run_emission(emit, [], key=key, fixed=[_computed_with(part) for part in found])

    def __repr__(self) -> str:
        return f"<function {self.__name__}{self.__signature__}>"


def tensor_function(*names: str, kind: str = "op") -> Callable[[Callable[..., Any]], Any]:
    """Decorate the emission of a function of tensors; it enters the catalogue by its name.

    Args:
        *names: further names.
        kind: the kind in the catalogue.
    """

    def enter(emission: Callable[..., Any]) -> TensorFunction:
        return catalogue.register(kind, *names)(TensorFunction(emission))

    return enter


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
    array = dtypes.to_array(part, None, "x")
    return array.astype("float32") if array.dtype == np.float64 else array
