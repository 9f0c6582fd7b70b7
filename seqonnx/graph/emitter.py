"""The emitter: `op.MatMul(x, w)` adds a node to a graph. The only maker of builders.

It stands on `onnxscript.GraphBuilder` (schema checks, constant promotion, shape inference for
each node) and adds what seqonnx needs: names scoped by layer, variables, noise, state updates.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph.builder import INFERENCE_ERROR, Builder
from seqonnx.graph.function_calls import FunctionCall
from seqonnx.graph.initializers import add_initializer
from seqonnx.graph.noise_inputs import NoiseInputs
from seqonnx.graph.operators import Operators
from seqonnx.graph.reading import STOP_GRADIENT, Dim
from seqonnx.graph.variable import Variable
from seqonnx.graph.versions import OPSET, VERSIONS
from seqonnx.seeds import SeedSource

WeightsAs = Literal["initializer", "input"]


_FOREIGN_INSIDE = "No opset import for domain"
"""The result of inference where a subgraph holds a foreign operator: no error, no shape."""


class Emitter(Operators):
    """Adds nodes to one graph; every ONNX operator is a method.

    `op.Add(x, 1.0)` appends an `Add` node and returns its output (a tuple where the call asks
    for several with `_outputs=2`). An argument may be a graph value, a `Variable`, a Python
    number or list (cast to the type of the other operands), or a NumPy array. Lower-case methods
    do what is not an operator.

    Args:
        graph: graph to add to; a new, empty one by default.
        weights_as: how variables enter the graph: `"initializer"` bakes their values in,
            `"input"` makes them inputs.
        except_for: variables that enter the other way.
        values: what to bake in where a variable's value of this moment is not what is wanted.
        shapes_only: whether the graph is made for its shapes and never run: a layer may then
            emit what it does not know yet.
        in_order: whether what reads a variable after `update` sees the new value, as in a program
            of statements; else all of a graph sees the value before the step.
        names: names of variables that are to have the same in several graphs; others are called
            after the scope that reads them first.

    Example:
        >>> op = Emitter()
        >>> x = op.input("x", "float32", ("batch", 4))
        >>> with op.scope("act"):
        ...     y = op.Relu(x)
        >>> y.name, str(y.shape)
        ('act/Relu', '[batch,4]')
    """

    def __init__(
        self,
        graph: ir.Graph | None = None,
        *,
        weights_as: WeightsAs = "initializer",
        except_for: Collection[Variable] = (),
        values: Mapping[Variable, npt.NDArray[Any]] | None = None,
        shapes_only: bool = False,
        in_order: bool = False,
        names: Mapping[Variable, str] | None = None,
    ) -> None:
        self.shapes_only = shapes_only
        self._in_order = in_order
        self._newest: dict[Variable, ir.Value] = {}
        if graph is None:
            graph = ir.Graph([], [], nodes=[], opset_imports={"": OPSET}, name="seqonnx")
        self.graph = graph
        self._weights_as = weights_as
        self._except_for = frozenset(except_for)
        self._values = {} if values is None else values
        self._named = {} if names is None else names
        self.variables: dict[Variable, ir.Value] = {}
        self.updates: dict[Variable, ir.Value] = {}
        self.losses: list[ir.Value] = []
        self.draws = NoiseInputs()
        self.noise = self.draws.values
        self.shared: dict[Hashable, ir.Value] = {}
        """Values that several places ask for; a pass may have removed one."""
        self.calls: list[FunctionCall] = []
        self._masks: dict[ir.Value, ir.Value] = {}
        self._compute_dtype: str | None = None
        self._narrowed: dict[tuple[Variable, str], ir.Value] = {}
        self._builder = Builder(graph)
        self._scopes: list[str] = []
        self._taken = {*_names_in(graph), *self._named.values()}
        self._numbers: dict[str, int] = {}

    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        """Append one node; `op.Relu(x)` is short for `op.emit("Relu", [x], {})`.

        Args:
            op_type: name of a standard operator.
            args: its inputs (values, variables, numbers, lists, arrays; None leaves one out).
            attributes: its attributes; `_outputs` is the number of outputs (default 1), `_domain`
                the domain of an operator that is not of the standard's first one.

        Returns:
            The output value, or a tuple of them where `_outputs` is above 1.

        Raises:
            ValueError: if ONNX's own shape inference refuses the inputs.
        """
        attributes = dict(attributes)
        count = attributes.pop("_outputs", 1)
        domain = attributes.pop("_domain", "")
        values = [self._to_value(arg) for arg in args]
        name = self.unique_name(op_type)
        version = self.graph.opset_imports.setdefault(domain, VERSIONS[domain])
        made = self._builder.call_op(
            op_type, values, attributes, domain=domain, version=version, outputs=count, name=name
        )
        outputs: tuple[ir.Value, ...] = (made,) if isinstance(made, ir.Value) else tuple(made)
        node = outputs[0].producer()
        if node is not None:
            error = node.metadata_props.get(INFERENCE_ERROR)
            if error is not None and _FOREIGN_INSIDE not in error:
                raise ValueError(self._refusal(name, op_type, values, error))
            node.metadata_props.clear()
        return outputs[0] if len(outputs) == 1 else outputs

    def input(self, name: str, dtype: str, shape: Sequence[Dim]) -> ir.Value:
        """Add a graph input; unnamed dimensions (None) stay unknown."""
        return self._input(self._number(name), dtype, shape)

    def output(self, value: ir.Value, name: str) -> ir.Value:
        """Make `value` a graph output called `name`; returns the value that carries the name."""
        if value.is_graph_input() or value.is_graph_output() or value.producer() is None:
            value = self.Identity(value)
        value.name = self._number(name)
        self.graph.outputs.append(value)
        return value

    def constant(self, array: npt.NDArray[Any], name: str = "constant") -> ir.Value:
        """Add a constant array as an initializer of the graph, named in the current scope."""
        name = self.unique_name(name)
        return self._initializer(name, np.asarray(array, order="C"))

    def read(self, variable: Variable) -> ir.Value:
        """Return the value that stands for `variable` in this graph (ONNX layout).

        Inside `computing_in` it is cast, once for each variable.
        """
        value = self.variables.get(variable)
        if value is None:
            name = self._named.get(variable) or self.unique_name(variable._emitted_name)
            baked = (self._weights_as == "initializer") != (variable in self._except_for)
            if baked:
                stored = self._values.get(variable)
                value = self._initializer(name, variable._stored() if stored is None else stored)
            else:
                value = self._input(name, variable.dtype, variable._stored_shape)
            self.variables[variable] = value
        value = self._newest.get(variable, value)
        wanted = self._compute_dtype
        cast = variable._autocast and dtypes.is_float(variable.dtype)
        if wanted is None or wanted == variable.dtype or not cast:
            return value
        narrowed = self._narrowed.get((variable, wanted))
        if narrowed is None:
            narrowed = self._narrowed[variable, wanted] = self.Cast(value, to=ir_dtype(wanted))
        return narrowed

    @contextmanager
    def computing_in(self, dtype: str | None) -> Iterator[None]:
        """Read floating-point variables cast to `dtype` inside; None: as they are.

        Args:
            dtype: name of the dtype that a layer computes in.

        Example:
            >>> op = Emitter()
            >>> with op.computing_in("float16"):
            ...     kernel = op.read(Variable(np.zeros(3, np.float32), "kernel"))
            >>> dtype_name(kernel)
            'float16'
        """
        outside, self._compute_dtype = self._compute_dtype, dtype
        try:
            yield
        finally:
            self._compute_dtype = outside

    @contextmanager
    def standing_for(self, variable: Variable, value: ir.Value) -> Iterator[None]:
        """Read a value in the place of a variable inside.

        Args:
            variable: the variable, which has been read before.
            value: a value of its dtype and ONNX layout.
        """
        dtypes_of = [key for key in self._narrowed if key[0] is variable]
        outside = {key: self._narrowed.pop(key) for key in dtypes_of}
        before, self.variables[variable] = self.variables[variable], value
        try:
            yield
        finally:
            self.variables[variable] = before
            for key in [key for key in self._narrowed if key[0] is variable]:
                del self._narrowed[key]
            self._narrowed.update(outside)

    @property
    def has_masks(self) -> bool:
        """Whether any value has a mask."""
        return len(self._masks) > 0

    def forget_masks(self) -> None:
        """Say that all of every value counts."""
        self._masks.clear()

    @property
    def computing_dtype(self) -> str | None:
        """The dtype that variables are cast to here; None: as they are (see `computing_in`)."""
        return self._compute_dtype

    def update(self, variable: Variable, value: ir.Value) -> None:
        """Say that a training step replaces `variable` by `value` (moving averages and such)."""
        self.read(variable)
        self.updates[variable] = self.cast(value, variable.dtype)
        if self._in_order:
            with self.scope(STOP_GRADIENT):  # a gradient is for the values of its own time
                self._newest[variable] = self.Identity(self.updates[variable])
            for key in [key for key in self._narrowed if key[0] is variable]:
                del self._narrowed[key]

    def updated(self, variable: Variable) -> ir.Value | None:
        """Return what `update` has left in the place of a variable for what comes now, if any."""
        return (self._newest if self._in_order else self.updates).get(variable)

    def values_now(self) -> dict[Variable, ir.Value]:
        """Return the value that stands for each variable here, after what has been updated."""
        return self.variables | self._newest

    def cast(self, value: ir.Value, dtype: str) -> ir.Value:
        """Return `value` in another dtype; itself where it has it."""
        wanted = ir_dtype(dtype)
        if value.dtype in {None, wanted}:
            return value
        result: ir.Value = self.Cast(value, to=wanted)
        self.set_mask(result, self.mask_of(value))
        return result

    def mask_of(self, value: ir.Value) -> ir.Value | None:
        """Return the mask that goes with a value; None where all of it counts.

        Args:
            value: a value of the graph, such as `(batch, time, channels)`.

        Returns:
            A bool value, True where an entry counts; its shape is the beginning of the value's,
            such as `(batch, time)`.
        """
        return self._masks.get(value)

    def set_mask(self, value: ir.Value, mask: ir.Value | None) -> None:
        """Say which entries of a value count; None: all.

        Args:
            value: a value of the graph.
            mask: see `mask_of`.
        """
        if mask is None:
            self._masks.pop(value, None)
        else:
            self._masks[value] = mask

    def add_loss(self, value: ir.Value) -> None:
        """Add a scalar to the loss that training minimises (regularizers)."""
        self.losses.append(value)

    def random_uniform(self, shape: Sequence[Dim]) -> ir.Value:
        """Return noise in [0, 1): an input that every run fills anew.

        Args:
            shape: its shape; the first axis counts samples, so that each has numbers of its own,
                whatever batch it is in.
        """
        factors = self.draws.factors_of(shape)
        if factors is not None:
            drawn = self.random_uniform([*factors, *shape[1:]])
            made: ir.Value = self.Reshape(drawn, [-1, *shape[1:]])
            made.shape = ir.Shape(shape)
            return made
        value = self._input(self.unique_name("noise"), "float32", shape)
        self.draws.add(value)
        return value

    def drawing_from(self, source: SeedSource | None) -> AbstractContextManager[None]:
        """Let the noise that is drawn inside follow a seed of its own; None: as outside."""
        return self.draws.following(source)

    def product_of(self, first: Dim, second: Dim) -> Dim:
        """Return the size of an axis that two axes have become; noise can be drawn for it.

        Args:
            first: size of the one, such as `"batch"`.
            second: size of the other.
        """
        return self.draws.product_of(first, second)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of nodes, constants and variables made inside with `name/`."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    @property
    def scope_name(self) -> str:
        """The current scope, such as `"base/conv1"`; empty at the top."""
        return "/".join(self._scopes)

    def unique_name(self, name: str) -> str:
        """Return `scope/name`, numbered (`_1`, `_2`, …) if it is taken."""
        return self._number("/".join([*self._scopes, name]))

    def refresh_names(self) -> None:
        """Learn the names that a pass over the graph has given or freed."""
        self._taken = {*_names_in(self.graph), *self._named.values()}
        self._numbers.clear()
        self._builder.forget_lost_constants()

    def _number(self, name: str) -> str:
        candidate, number = name, self._numbers.get(name, 0)
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        self._numbers[name] = number
        return candidate

    def _input(self, name: str, dtype: str, shape: Sequence[Dim]) -> ir.Value:
        value = ir.Value(name=name, type=ir.TensorType(ir_dtype(dtype)), shape=ir.Shape(shape))
        self.graph.inputs.append(value)
        return value

    def _to_value(self, arg: Any) -> Any:
        if isinstance(arg, Variable):
            return self.read(arg)
        if isinstance(arg, np.ndarray):
            return self.constant(arg)
        if isinstance(arg, np.generic):
            return self.constant(np.asarray(arg))
        return arg

    def _initializer(self, name: str, array: npt.NDArray[Any]) -> ir.Value:
        if array.dtype.kind == "O":
            texts = [str(text).encode() for text in array.flat]
            tensor: Any = ir.StringTensor(texts, shape=ir.Shape(array.shape), name=name)
        else:
            tensor = ir.Tensor(array, name=name)
        return add_initializer(self.graph, tensor)

    def _refusal(self, name: str, op_type: str, values: Sequence[Any], error: str) -> str:
        shapes = ", ".join(str(v.shape) for v in values if isinstance(v, ir.Value))
        layer = self.scope_name or "(no layer)"
        return (
            f"ONNX refuses the inputs of {op_type} (node '{name}', layer '{layer}'): "
            f"received shapes {shapes}. {error}"
        )


def ir_dtype(name: str) -> ir.DataType:
    """Return the ONNX dtype of a standard name such as `"float32"`."""
    if name == "bfloat16":
        return ir.DataType.BFLOAT16
    return ir.DataType.STRING if name == "string" else ir.DataType.from_numpy(np.dtype(name))


def _names_in(graph: ir.Graph) -> set[str]:
    """Names of values and nodes that a graph already holds."""
    names = {value.name for value in graph.inputs if value.name}
    names.update(name for name in graph.initializers if name)
    for node in graph.all_nodes():
        if node.name:
            names.add(node.name)
        names.update(value.name for value in node.outputs if value.name)
    return names
