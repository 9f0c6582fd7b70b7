"""Computation in 16 bits: which operators take part, and the Casts between them and the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.graph.apart import tensor_apart
from seqonnx.graph.reading import is_op, is_standard, subgraphs_of

IN_FLOAT32: Final = frozenset(
    {
        # Sums over many elements, of squares, and exponentials: 65,504 is the largest float16.
        *("ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd"),
        *("ReduceLogSum", "ReduceLogSumExp", "CumSum", "CumProd", "Pow", "Exp", "Log"),
        *("Softmax", "LogSoftmax", "LpNormalization", "MeanVarianceNormalization"),
        *("BatchNormalization", "LayerNormalization", "InstanceNormalization"),
        *("GroupNormalization", "RMSNormalization", "LRN", "LpPool", "GlobalLpPool"),
        # Positions: float16 has no odd integers above 2,048.
        *("Range", "Resize", "GridSample", "AffineGrid", "RoiAlign", "NonMaxSuppression"),
        # ONNX Runtime's recurrent operators have no kernels of float16: the process ends.
        *("LSTM", "GRU", "RNN"),
        # Dtypes that stand in attributes, bodies that share names with the graph around them.
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "EyeLike"),
        *("Multinomial", "Bernoulli", "If", "Loop", "Scan", "SequenceMap", "SequenceEmpty"),
        *("DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"),
    }
)
"""Operators that go on in float32, with a Cast before and after."""

_FLOAT: Final = ir.DataType.FLOAT
_LARGEST: Final = 65504.0
_SMALLEST: Final = 1e-7
_LARGE: Final = 1024


def convert_computation(graph: ir.Graph, dtype: ir.DataType, *, keep_io: bool) -> None:
    """Let a graph of float32 compute in 16 bits, in place.

    Weights become numbers of 16 bits; those beyond the range of float16 its largest ones, and
    single numbers that are not 0 (such as an epsilon) do not become 0.

    Args:
        graph: the graph; the dtypes of its values are known.
        dtype: float16 or bfloat16.
        keep_io: whether inputs and outputs stay in float32.
    """
    work = _Conversion(graph, dtype)
    if not keep_io:
        for value in graph.inputs:
            work.changes(value)
    for value in graph.initializers.values():
        work.store(value)
    for node in list(graph):
        work.convert(node)
    for value in list(graph.outputs):
        work.finish(value, keep_io=keep_io)
    for value in list(graph.initializers.values()):
        if len(value.uses()) == 0 and not value.is_graph_output():
            graph.initializers.pop(str(value.name))


class _Conversion:
    """One conversion: what has 16 bits by now, and the Casts that there are.

    Args:
        graph: the graph.
        dtype: the dtype of 16 bits.
    """

    def __init__(self, graph: ir.Graph, dtype: ir.DataType) -> None:
        self._graph = graph
        self._dtype = dtype
        self._type_name = f"tensor({dtype.name.lower()})"
        self._narrow: set[ir.Value] = set()
        self._floats = {v for v in _values(graph) if v.dtype == _FLOAT}
        self._refused = {node for last in graph for node in _ending_the_process(last)}
        self._casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def changes(self, value: ir.Value) -> None:
        """Note that a value of float32 has 16 bits from now on."""
        if value in self._floats and isinstance(value.type, ir.TensorType):
            value.dtype = self._dtype
            self._narrow.add(value)

    def store(self, value: ir.Value) -> None:
        """Store a weight in 16 bits, unless all that read it want float32."""
        tensor = value.const_value
        if tensor is None or tensor.dtype != _FLOAT or value.is_graph_output():
            return
        wanted = {self._wants(node, index) for node, index in value.uses()}
        if self._dtype not in wanted and not self._is_large(value):
            return
        if isinstance(tensor, ir.ExternalTensor):
            # Whoever has the numbers stores them so.
            value.const_value = tensor_apart(str(value.name), self._dtype, tensor.shape)
        else:
            narrow = in_16_bits(tensor.numpy(), self._dtype.numpy())
            value.const_value = ir.Tensor(narrow, dtype=self._dtype, name=value.name)
        self.changes(value)

    def _is_large(self, value: ir.Value) -> bool:
        """Whether a weight that is computed with in float32 is still worth storing in 16 bits."""
        tensor = value.const_value
        learned = all(self._takes(node, i) for node, i in value.uses() if is_standard(node))
        return tensor is not None and tensor.size >= _LARGE and learned

    def convert(self, node: ir.Node) -> None:
        """Give a node inputs of the dtypes that it takes, and note what it makes."""
        keeps = self._keeps_float32(node)
        for index, value in enumerate(node.inputs):
            if value is not None and value in self._floats:
                wanted = self._wants(node, index)
                have = self._dtype if value in self._narrow else _FLOAT
                if have != wanted:
                    node.replace_input_with(index, self._cast(value, wanted, node))
        if len(subgraphs_of(node)) > 0:
            self._widen_captured(node)
        if keeps:
            return
        self._change_attributes(node)
        for index, value in enumerate(node.outputs):
            if self._takes(node, index, output=True):
                self.changes(value)

    def finish(self, value: ir.Value, *, keep_io: bool) -> None:
        """Give an output of the graph the dtype that it is to have, under its name."""
        wanted = _FLOAT if keep_io else self._dtype
        have = self._dtype if value in self._narrow else value.dtype
        if value not in self._floats or have is None or have == wanted:
            return
        name = str(value.name)
        value.name = f"{name}.{have.numpy().name}"
        cast = ir.node("Cast", [value], {"to": wanted}, name=f"{name}/Cast")
        cast.outputs[0].name = name
        cast.outputs[0].dtype, cast.outputs[0].shape = wanted, value.shape
        self._graph.append(cast)
        place = next(i for i, output in enumerate(self._graph.outputs) if output is value)
        self._graph.outputs[place] = cast.outputs[0]

    def _keeps_float32(self, node: ir.Node) -> bool:
        known = is_standard(node) and node.op_type not in IN_FLOAT32
        known &= node.op_type != "Constant" or "value" in node.attributes
        tensors = all(
            value is None or value.type is None or isinstance(value.type, ir.TensorType)
            for value in (*node.inputs, *node.outputs)
        )
        return not (known and tensors) or node in self._refused

    def _wants(self, node: ir.Node, index: int) -> ir.DataType:
        """The dtype in which a node takes an input of float32."""
        if self._keeps_float32(node) or not self._takes(node, index):
            return _FLOAT
        return self._dtype

    def _takes(self, node: ir.Node, index: int, *, output: bool = False) -> bool:
        """Whether the standard lets an input or output of a node have 16 bits."""
        version = self._graph.opset_imports[""]
        schema = onnx.defs.get_schema(node.op_type, version, "")
        formal = schema.outputs if output else schema.inputs
        kind = formal[min(index, len(formal) - 1)].type_str
        legal = [c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == kind]
        return self._type_name in (legal[0] if len(legal) > 0 else [kind])

    def _cast(self, value: ir.Value, dtype: ir.DataType, before: ir.Node) -> ir.Value:
        """A value in another dtype; one Cast for all that want it."""
        made = self._casts.get((value, dtype))
        if made is None:
            name = f"{value.name}.{dtype.numpy().name}"
            node = ir.node("Cast", [value], {"to": dtype}, name=f"{name}/Cast")
            made = node.outputs[0]
            made.name, made.dtype, made.shape = name, dtype, value.shape
            self._graph.insert_before(before, node)
            self._casts[value, dtype] = made
        return made

    def _widen_captured(self, node: ir.Node) -> None:
        """Let the bodies of a node read in float32 what they take from outside."""
        inside = {user for body in subgraphs_of(node) for user in body.all_nodes()}
        for value in list(self._narrow):
            for user, index in list(value.uses()):
                if user in inside:
                    user.replace_input_with(index, self._cast(value, _FLOAT, node))

    def _change_attributes(self, node: ir.Node) -> None:
        """Let what a node makes by itself have 16 bits."""
        if node.op_type == "Cast" and node.attributes.get_int("to", 0) == _FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", self._dtype)
        zero = ir.Tensor(np.zeros(1, np.float32)) if node.op_type == "ConstantOfShape" else None
        tensor = node.attributes.get_tensor("value", zero)
        if tensor is not None and tensor.dtype == _FLOAT:
            narrow = ir.Tensor(in_16_bits(tensor.numpy(), self._dtype.numpy()), dtype=self._dtype)
            node.attributes["value"] = ir.AttrTensor("value", narrow)


def in_16_bits(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return numbers of float32 in 16 bits, as `convert_computation` stores them.

    Args:
        array: the numbers.
        dtype: float16 or bfloat16.
    """
    if dtype == np.float16:
        finite = np.isfinite(array)
        array = np.where(finite, np.clip(array, -_LARGEST, _LARGEST), array)
        if array.size == 1:
            tiny = (array != 0) & (np.abs(array) < _SMALLEST)
            array = np.where(tiny, np.copysign(_SMALLEST, array), array)
    return np.asarray(array).astype(dtype)


def _ending_the_process(node: ir.Node) -> list[ir.Node]:
    """Nodes that ONNX Runtime 1.31 fuses into one that ends the process, if it has float16.

    That is a MatMul of what Transpose has given with the first axis among the last two, also with
    a Cast between them.
    """
    found = []
    for value in node.inputs if is_op(node, "MatMul") else ():
        before = None if value is None else value.producer()
        if before is not None and is_op(before, "Transpose"):
            perm = before.attributes.get_ints("perm", ())
            found += [before, node] if len(perm) > 2 and 0 in perm[-2:] else []
    return found


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    """The values of a graph, not those of bodies inside."""
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs
