"""The maker of nodes below the emitter: onnxscript's, with what seqonnx needs besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import onnx.defs
import onnx_ir as ir
import onnxscript

from seqonnx.graph import inferred
from seqonnx.graph.attributes import to_attributes

INFERENCE_ERROR: Final = "pkg.onnxscript.shape_inference_error"
"""Where onnxscript notes that inference has refused a node."""


class Builder(onnxscript.GraphBuilder):  # type: ignore[misc]  # onnxscript has no types for it
    """onnxscript's builder, told that a graph may hold constants before it starts."""

    def initializer(
        self, tensor: ir.TensorProtocol, name: str | None = None, *, qualify: bool = True
    ) -> ir.Value:
        """Add an initializer, numbered where its name is taken."""
        base = name = name or tensor.name or "constant"
        number = 0
        while name in self.graph.initializers:
            number += 1
            name = f"{base}_{number}"
        value: ir.Value = super().initializer(tensor, name, qualify=qualify)
        return value

    def forget_lost_constants(self) -> None:
        """Make constants anew that a pass has removed: the builder would hand them out again."""
        kept = self.graph.initializers
        for key, value in list(self._constant_cache.items()):
            if kept.get(value.name) is not value:
                del self._constant_cache[key]

    def call_op(
        self,
        op_type: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        /,
        domain: str = "",
        version: int | None = None,
        outputs: int | Sequence[str | ir.Value] = 1,
        name: str | None = None,
    ) -> ir.Value | Sequence[ir.Value]:
        """Append a node, named like its outputs.

        For an operator of the standard without what onnxscript asks and notes anew for each node:
        half of the time of building a deep network.
        """
        if domain != "" or version is None or name is None or not isinstance(outputs, int):
            options = {"domain": domain, "version": version, "outputs": outputs, "name": name}
            made: ir.Value | Sequence[ir.Value] = super().call_op(op_type, args, kwargs, **options)
            if name is not None:
                values = [made] if isinstance(made, ir.Value) else made
                for value, own in zip(values, _output_names(name, len(values)), strict=True):
                    value.name = own
            return made
        known = _standard(op_type, version)
        attributes = known.sorted_attributes(args, kwargs)
        if any(not isinstance(arg, ir.Value) and arg is not None for arg in args):
            args = self._cast_inputs(known.schema, args)
        node = ir.Node(
            "",
            op_type,
            args,
            attributes=to_attributes(attributes),
            outputs=[ir.Value(name=own) for own in _output_names(name, outputs)],
            version=version,
            name=name,
        )
        self.graph.append(node)
        if op_type == "Constant":
            self._constant_propagation(node)
        self._infer_shapes(node)
        return node.outputs[0] if outputs == 1 else node.outputs

    def _infer_shapes(self, node: ir.Node) -> None:
        """Infer each kind of node once: protobuf there and back is half of what a node costs."""
        key = inferred.key_of(node)
        if key is None or not inferred.recall(node, key):
            super()._infer_shapes(node)
            if key is not None and INFERENCE_ERROR not in node.metadata_props:
                inferred.remember(node, key)


def _output_names(name: str, count: int) -> list[str]:
    """Names of the outputs of a node: its own where there is one."""
    return [name] if count == 1 else [f"{name}.{i}" for i in range(count)]


@dataclass(frozen=True)
class _Standard:
    """An operator of the standard, as its schema says.

    Args:
        schema: the schema.
        least: fewest inputs.
        most: most inputs.
        attributes: names of its attributes, and whether they must be given.
    """

    schema: onnx.defs.OpSchema
    least: int
    most: int
    attributes: Mapping[str, bool]

    def sorted_attributes(self, args: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return attributes in the order of the schema; raise a TypeError if they do not fit."""
        known = self.attributes
        unknown = given.keys() - known.keys()
        missing = [name for name, needed in known.items() if needed and name not in given]
        if unknown or missing or not self.least <= len(args) <= self.most:
            raise TypeError(
                f"{self.schema.name} takes {self.least} to {self.most} inputs and the attributes "
                f"{list(known)}. Received: {len(args)} inputs, attributes {list(given)}"
                + (f"; {missing} must be given" if missing else "")
            )
        return {name: given[name] for name in known if name in given}


@cache
def _standard(op_type: str, version: int) -> _Standard:
    """The facts about an operator, asked once: onnx makes each answer anew."""
    schema = onnx.defs.get_schema(op_type, version, "")
    attributes = {name: attribute.required for name, attribute in schema.attributes.items()}
    return _Standard(schema, schema.min_input, schema.max_input, attributes)
