"""A model that is open to be differentiated: names in, a plain ONNX model out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.autodiff.blockers import refuse_blockers
from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.registry import has_gradient
from seqonnx.autodiff.sources import sources_of
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.damage import reading
from seqonnx.graph.floats import FLOATS
from seqonnx.graph.serde import to_proto
from seqonnx.graph.versions import IR_VERSION
from seqonnx.importers.onnx.importing import ModelLike, expand_calls, import_model, title_of

DeviceName = Literal["cpu", "cuda"]
Named = Mapping[ir.Value, str]


class Opened:
    """A model's graph, an emitter for it, and its tensors by name.

    Args:
        model: path of an ONNX file, a ModelProto, or a seqonnx model.
        device: `"cpu"` or `"cuda"`, for rules that choose a formulation by it.
    """

    def __init__(self, model: ModelLike, device: DeviceName) -> None:
        if device not in ("cpu", "cuda"):
            raise ValueError(f'`device` must be "cpu" or "cuda". Received: device={device!r}')
        self._title = title_of(model)
        imported = import_model(model, has_gradient)
        self._functions = imported.functions
        self._device = device
        self.graph = imported.graph
        self.op = Emitter(self.graph)
        self._tensors = {str(value.name): value for value in self.graph.inputs}
        self._tensors.update(self.graph.initializers)
        for node in self.graph:
            self._tensors.update({str(value.name): value for value in node.outputs})

    def find(self, names: str | Sequence[str], argument: str) -> Named:
        """Return the tensors of some names, in their order.

        Raises:
            ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        """
        found: dict[ir.Value, str] = {}
        for name in [names] if isinstance(names, str) else names:
            value = self._tensors.get(name)
            if value is None:
                raise ValueError(
                    f"`{argument}` names a tensor that the graph does not have: '{name}'. "
                    f"Its tensors are: {', '.join(self._tensors)}"
                )
            if value in found:
                raise ValueError(f"`{argument}` names '{name}' twice.")
            if value.dtype not in FLOATS:
                raise ValueError(
                    f"`{argument}` names '{name}', which is {value.dtype}. Only tensors of a "
                    "floating-point type have derivatives."
                )
            found[value] = name
        if len(found) == 0:
            raise ValueError(f"`{argument}` names no tensor.")
        return found

    def inputs_like(self, values: Named, prefix: str) -> list[ir.Value]:
        """Add an input `prefix/NAME` of the shape and type of each value."""
        made = []
        for value, name in values.items():
            shape = [] if value.shape is None else static_shape(value)
            made.append(self.op.input(f"{prefix}/{name}", dtype_name(value), shape))
            made[-1].shape = value.shape
        return made

    def filled(self, like: ir.Value, number: float) -> ir.Value:
        """A tensor of one number with the shape and type of another, unread if that is known."""
        with self.op.scope("grad"):
            known = like.shape is not None and like.shape.is_static()
            shape = np.array(like.shape, np.int64) if known else self.op.Shape(like)
            tensor = ir.tensor([number], like.dtype)
            filled = self.op.ConstantOfShape(shape, value=tensor)
        filled.shape = like.shape
        return filled

    def backward(
        self, targets: Sequence[tuple[ir.Value, ir.Value]], wrt: Named
    ) -> list[ir.Value | None]:
        """Total derivatives of values with respect to others, which may depend on each other.

        Raises:
            GradientError: if an operator on the way has no gradient rule.
        """
        values = list(wrt)
        with reading(self._title, refusals=True):
            refuse_blockers(self.graph, [value for value, _ in targets], wrt, zero_counts=True)
            if not self._nested(values):
                return backward(self.op, targets, values, device=self._device)
            # The engine stops at what is wanted: a way through another wanted value is a walk
            # apart.
            return [backward(self.op, targets, [v], device=self._device)[0] for v in values]

    def finish(
        self,
        results: Sequence[ir.Value | None],
        like: Named,
        prefix: str,
        kept: Named | None = None,
    ) -> onnx.ModelProto:
        """Return the model of some results, one `prefix/NAME` for each value; None means zeros.

        Args:
            results: the results.
            like: values that they belong to.
            prefix: what their names begin with.
            kept: values that are outputs before them, under their names.
        """
        with reading(self._title, refusals=True):
            self.graph.outputs.clear()
            for value, name in (kept or {}).items():
                self._keep(value, name)
            for result, (value, name) in zip(results, like.items(), strict=True):
                self._output(
                    self.filled(value, 0.0) if result is None else result, f"{prefix}/{name}"
                )
            common_passes.RemoveUnusedNodesPass()(ir.Model(self.graph, ir_version=IR_VERSION))
            expand_calls(self.graph, self._functions)
            wrapped = ir.Model(self.graph, ir_version=IR_VERSION)
            common_passes.RemoveUnusedNodesPass()(wrapped)
            common_passes.RemoveUnusedOpsetsPass()(wrapped)
            return to_proto(self.graph)

    def _keep(self, value: ir.Value, name: str) -> None:
        """Make an output of a value that the graph has."""
        if value.producer() is None:  # an input or a weight keeps its name
            self.op.output(value, name)
        else:
            self.graph.outputs.append(value)

    def _output(self, value: ir.Value, name: str) -> None:
        """Make an output; an inner tensor of the same name, from an earlier turn, gives way."""
        made = self.op.output(value, name)
        holder = self._tensors.get(name)
        if made.name != name and holder is not None and holder.producer() is not None:
            holder.name, made.name = made.name, name

    def _nested(self, values: Sequence[ir.Value]) -> bool:
        """Whether one of some values is computed from another."""
        inner = [node for value in values if (node := value.producer()) is not None]
        seen, stack = set(inner), list(inner)
        while stack and len(values) > 1:
            for value in sources_of(stack.pop()):
                if value in values:
                    return True
                node = None if value is None else value.producer()
                if node is not None and node not in seen:
                    seen.add(node)
                    stack.append(node)
        return False
