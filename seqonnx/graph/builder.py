"""The maker of nodes below the emitter: onnxscript's, with what seqonnx needs besides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import onnx.defs
import onnx_ir as ir
import onnxscript


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

    def _partition_inputs_attributes(
        self, schema: onnx.defs.OpSchema | None, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any]]:
        """Without a signature made anew of the schema for each node: a quarter of the time."""
        if schema is None or schema.domain != "":
            partition: tuple[Sequence[Any], dict[str, Any]]
            partition = super()._partition_inputs_attributes(schema, args, kwargs)
            return partition
        attributes = _attributes_of(schema.name, schema.since_version)
        unknown = kwargs.keys() - attributes.keys()
        missing = [name for name, needed in attributes.items() if needed and name not in kwargs]
        if unknown or missing or not schema.min_input <= len(args) <= schema.max_input:
            raise TypeError(
                f"{schema.name} takes {schema.min_input} to {schema.max_input} inputs and the "
                f"attributes {list(attributes)}. Received: {len(args)} inputs, attributes "
                f"{list(kwargs)}" + (f"; {missing} must be given" if missing else "")
            )
        return args, {name: kwargs[name] for name in attributes if name in kwargs}


@cache
def _attributes_of(op_type: str, version: int) -> dict[str, bool]:
    """Attributes of a standard operator, and whether they must be given."""
    schema = onnx.defs.get_schema(op_type, version, "")
    return {name: attribute.required for name, attribute in schema.attributes.items()}
