"""Operation: a function of tensors as a node of the layer graph."""

from __future__ import annotations

from typing import Any

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Trace, auto_name
from seqonnx.graph.tracing import tracing
from seqonnx.layers import _calling
from seqonnx.layers.base import Layer
from seqonnx.tensor_function import TensorFunction, values_in


@register("layer")
class Operation(Layer):
    """A function of `seqonnx.ops` called on symbolic tensors.

    Made by calling the function: `seqonnx.ops.add(a, b)`, or `a + b`.

    Args:
        function: name of the function, such as `"add"`.
        name: name of the node; default: that of the function, numbered.

    Raises:
        ValueError: if there is no such function.
    """

    autocast = False
    """A function works on what it is given."""

    def __init__(self, function: str, name: str | None = None) -> None:
        super().__init__(name=auto_name(function.rpartition(".")[2]) if name is None else name)
        self.function = function
        kinds = ("op", "random", "activation", "objective", "quantization")
        found = next(filter(None, (catalogue.find(kind, function) for kind in kinds)), None)
        if not isinstance(found, TensorFunction):
            raise catalogue.unknown("op", function)
        self._function = found
        self._built = True

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"function": self.function, "name": self.name}

    def record(self, arguments: dict[str, Any]) -> Any:
        """Note a call in the layer graph; returns what it gives.

        Args:
            arguments: all arguments of the function by name; at least one symbolic tensor.
        """
        return _calling.record(self, arguments)

    def _emit(self, op: Emitter, x: Any, training: bool, **named: Any) -> Any:
        """Emit the function; `x` are its arguments by name."""
        trace = Trace(op, training)
        with tracing(trace):
            return self._function.emitted(op, values_in(trace, x))
