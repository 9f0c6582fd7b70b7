"""Questions about an imported network that only running it on random rows can answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.errors import ExecutionError
from seqonnx.graph import BATCH, Dim, Emitter, Variable, dtype_name, ir_dtype, static_shape
from seqonnx.graph.splice import splice
from seqonnx.graph.versions import IR_VERSION
from seqonnx.importers.onnx.constants import KnownValue
from seqonnx.importers.onnx.node_inference import FEW
from seqonnx.importers.onnx.sizes import data_of, refuse_large_constants, refuse_large_values
from seqonnx.lowering.pipeline import EAGER, lower
from seqonnx.runtime.compiled import Compiled

_DATA_DEPENDENT: Final = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
"""Operators whose output sizes depend on the values of their inputs."""

_SECONDS: Final = 10.0
"""When a question is given up: a loop of a foreign file may never end."""

_MOST_ROWS: Final = 3

Arrays = list[npt.NDArray[Any]]


class Probe:
    """Runs a network on random rows.

    Args:
        graph: the network, for inputs with a free batch, its weights among its inputs.
        inputs: names of its data inputs.
        weights: its weights by name.
        name: what errors call it.
        batch: the number of rows, if it takes no other.

    Raises:
        ModelFileError: if a few rows take too much memory; nothing is computed then.
    """

    def __init__(
        self,
        graph: ir.Graph,
        inputs: Sequence[str],
        weights: Mapping[str, Variable],
        name: str,
        batch: int | None = None,
    ) -> None:
        self._batch = batch
        sizes = {
            str(v.name): (batch or _MOST_ROWS, *static_shape(v)[1:])
            for v in graph.inputs
            if v.name in inputs
        }
        proto, stored, known = _described(graph, sizes, weights)
        refuse_large_values(proto, name, stored, known)
        op = Emitter(weights_as="input")
        data = {
            str(v.name): op.input("x", dtype_name(v), (batch or BATCH, *static_shape(v)[1:]))
            for v in graph.inputs
            if v.name in inputs
        }
        with op.scope("probe"):
            values = {key: op.read(variable) for key, variable in weights.items()}
            for value in splice(op, graph, data | values):
                op.output(value, "y")
        lower(op, EAGER)
        self._specs = [(dtype_name(v), _sizes(static_shape(v)[1:])) for v in data.values()]
        self._compiled = Compiled(op)

    def rows(self, count: int) -> Arrays:
        """Random data for every input; the same for the same count."""
        rng = np.random.default_rng(count)
        return [_random(rng, dtype, (count, *sizes)) for dtype, sizes in self._specs]

    def run(self, arrays: Arrays) -> Arrays:
        """Outputs for these inputs."""
        return self._compiled.run(arrays, seconds=_SECONDS)

    def disagreement(self) -> str | None:
        """Say how rows computed together differ from rows computed alone; None if not at all."""
        rows = self.rows(_MOST_ROWS)
        try:
            together = self.run(rows)
            alone = [self.run([array[i : i + 1] for array in rows]) for i in range(_MOST_ROWS)]
        except ExecutionError as error:
            return str(error)
        for index, whole in enumerate(together):
            if not _same(whole, np.concatenate([outputs[index] for outputs in alone])):
                return "rows computed together differ from the same rows computed alone"
        return None

    def difference(self, other: Probe) -> str | None:
        """Say how this network differs from one for a fixed number of rows; None if not at all."""
        rows = self.rows(other._batch or 1)
        try:
            pairs = zip(self.run(rows), other.run(rows), strict=True)
        except ExecutionError as error:
            return str(error)
        if all(_same(mine, theirs) for mine, theirs in pairs):
            return None
        return "constants of the file differ from row to row of its batch"


def refuse_large_specialization(
    graph: ir.Graph, shapes: Mapping[str, Sequence[Dim]], weights: Mapping[str, Variable], name: str
) -> None:
    """Raise a ModelFileError if a graph computes too much from the shapes of its inputs alone.

    Args:
        graph: the network, its weights among its inputs.
        shapes: shape of each data input; a free batch counts as a few rows.
        weights: its weights by name.
        name: what errors call it.
    """
    proto, stored, known = _described(graph, shapes, weights)
    refuse_large_constants(proto, name, stored, known)


def can_probe(shapes: Sequence[Sequence[Dim]]) -> bool:
    """Whether every size but the batch is known."""
    return all(isinstance(d, int) for shape in shapes for d in shape[1:])


def measure_outputs(
    graph: ir.Graph, inputs: Sequence[str], weights: Mapping[str, Variable], name: str
) -> None:
    """Give the outputs of a network the shapes and types that they turn out to have, in place.

    Sizes that two batches of different sizes agree on are taken as fixed.

    Raises:
        ModelFileError: if a few rows take too much memory.
    """
    probe = Probe(graph, inputs, weights, name)
    try:
        pairs = list(zip(*(probe.run(probe.rows(count)) for count in (2, _MOST_ROWS)), strict=True))
    except ExecutionError:
        return  # whatever is wrong shows when the network runs on real data
    fixed = all(node.op_type not in _DATA_DEPENDENT for node in graph.all_nodes())
    for value, (two, three) in zip(graph.outputs, pairs, strict=True):
        sizes: list[Dim] = [
            a if a == b and fixed else None for a, b in zip(two.shape, three.shape, strict=True)
        ]
        if sizes and (two.shape[0], three.shape[0]) == (2, 3):
            sizes[0] = BATCH
        value.shape = ir.Shape(sizes)
        if value.dtype is None:
            value.dtype = ir_dtype(two.dtype.name)


def first_unknown(graph: ir.Graph) -> str | None:
    """Name the operator behind which an output of a network is not known; None if all are known.

    What is known of a value is its number of axes and its dtype.
    """
    for output in graph.outputs:
        if _known(output):
            continue
        found, stack, seen = output.producer(), [output], {output}
        while stack:
            node = stack.pop().producer()
            unknown = [v for v in node.inputs if v is not None and not _known(v)] if node else []
            if node is not None and len(unknown) == 0:
                found = node
                break
            stack.extend(value for value in unknown if value not in seen)
            seen.update(unknown)
        what = "number of axes" if output.shape is None else "dtype"
        if found is not None:
            return (
                f"the {what} of its output '{output.name}' is not known, because ONNX does not say "
                f"what operator {found.op_type} (domain '{found.domain or 'ai.onnx'}'), node "
                f"'{found.name or found.outputs[0].name}', gives"
            )
    return None


def _described(
    graph: ir.Graph, shapes: Mapping[str, Sequence[Dim]], weights: Mapping[str, Variable]
) -> tuple[onnx.ModelProto, int, dict[str, KnownValue]]:
    """A network as a ModelProto, the bytes of its weights, and what is known of its inputs."""
    known = {key: _known_weight(variable) for key, variable in weights.items()}
    for value in graph.inputs:
        shape = shapes.get(str(value.name))
        if shape is not None and value.dtype is not None:
            sizes = [d if isinstance(d, int) else _MOST_ROWS for d in shape]
            known[str(value.name)] = data_of(int(value.dtype), sizes)
    stored = sum(variable._nbytes for variable in weights.values())
    return _without_shapes(graph), stored, known


def _without_shapes(graph: ir.Graph) -> onnx.ModelProto:
    """A graph as a ModelProto that says of inner values only which are vectors, and how long.

    More is not read where sizes are inferred anyway, and writing it takes longer than all the rest.
    """
    proto = onnx.ModelProto(ir_version=IR_VERSION)
    for domain, version in graph.opset_imports.items():
        proto.opset_import.append(onnx.helper.make_opsetid(domain, version))
    for value in graph.inputs:
        ir.serde.serialize_value_into(proto.graph.input.add(), value)
    for value in graph.outputs:
        ir.serde.serialize_value_into(proto.graph.output.add(), value)
    for value in graph.initializers.values():
        if value.const_value is not None:
            stored = proto.graph.initializer.add()
            ir.serde.serialize_tensor_into(stored, value.const_value)
            stored.name = value.name
    for node in graph:
        ir.serde.serialize_node_into(proto.graph.node.add(), node)
        for value in node.outputs:
            if value.shape is not None and len(value.shape) == 1 and not value.is_graph_output():
                ir.serde.serialize_value_into(proto.graph.value_info.add(), value)
    return proto


def _known_weight(variable: Variable) -> KnownValue:
    """A weight, with its elements where they are few: they may become sizes."""
    if variable._size <= FEW:
        return KnownValue.of(variable.numpy())
    return replace(data_of(int(ir_dtype(variable.dtype)), variable.shape), given=False)


def _known(value: ir.Value) -> bool:
    return value.shape is not None and value.dtype is not None


def _sizes(shape: Sequence[Dim]) -> list[int]:
    """The sizes that are known."""
    return [d for d in shape if isinstance(d, int)]


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Whether two arrays are equal but for rounding."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind not in "fV":
        return bool(np.array_equal(a, b))
    a, b = a.astype(np.float64), b.astype(np.float64)
    largest = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-4 * largest, equal_nan=True))


def _random(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Random data of a dtype; text is of letters."""
    if dtype == "string":
        return rng.choice(np.array(["a", "b"], object), shape)
    if np.dtype(dtype).kind in "fV":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
