"""Dtypes of layers: weights have one, computation may have another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from seqonnx import config, dtypes
from seqonnx.graph import Emitter, Trace, tracing
from seqonnx.graph.signatures import check_method, spelling_of
from seqonnx.graph.tracing import traced
from seqonnx.structures import put_back, take_out


class Typed:
    """The dtypes of a layer; the base of `Layer`."""

    autocast = True
    """Whether floating-point inputs and weights are cast to the dtype that the layer computes in.

    Where that is an integer or bool, fractions are cut off. Inputs of other dtypes are not cast.
    """

    _data_dtype: str | None = None
    """Dtype that data are given in, `"string"` or `"int64"`; None: numbers, as the layer wants."""

    _policy: dtypes.Policy

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""
        return self._policy.variable_dtype

    @property
    def dtype_policy(self) -> str:
        """Name of the policy: a dtype, `"mixed_float16"` or `"mixed_bfloat16"`."""
        return self._policy.name

    @property
    def compute_dtype(self) -> str:
        """Dtype of the outputs, and of what `call` gets."""
        return self._policy.compute_dtype

    @property
    def _on_host(self) -> bool:
        """Whether a call on data begins with what ONNX cannot compute; see `_call_on_host`."""
        return False

    @property
    def _working_dtype(self) -> str:
        """Dtype inside `call`: float32 where a layer would lose too much in 16 bits."""
        return self.compute_dtype

    def call(self, op: Emitter, x: Any, training: bool) -> Any:
        """Emit the layer's nodes; see `Layer.call`."""
        # For type checkers: `Layer`, which has this class as a base, says what `call` is.
        raise NotImplementedError(f"Layer {type(self).__name__} does not define `call`.")

    def _emit_typed(
        self, op: Emitter, x: Any, training: bool, named: Mapping[str, Any] | None = None
    ) -> Any:
        """Emit `call` on inputs of the working type; its outputs get the type computed in."""
        spelling = spelling_of(self.call)
        named = {} if named is None else named
        if not spelling.emits:
            return self._emit_traced(op, x, training, named)
        if not named:
            check_method(self, "Layer", "call", "op", "x", "training")
        if not self.autocast:
            return self._call_on_values(op, x, training, named)
        inside, outside = self._working_dtype, self.compute_dtype
        with op.computing_in(inside):
            given = cast_floats(op, dict(named), inside)
            y = self._call_on_values(op, cast_floats(op, x, inside), training, given)
        return y if inside == outside else cast_floats(op, y, outside)

    def _call_on_values(self, op: Emitter, x: Any, training: bool, named: Mapping[str, Any]) -> Any:
        """Call `call` as it is written with the emitter first."""
        return self.call(op, x, training=training, **named) if named else self.call(op, x, training)

    def _emit_traced(self, op: Emitter, x: Any, training: bool, named: Mapping[str, Any]) -> Any:
        """Emit `call` as it is written on tensors."""
        spelling = spelling_of(self.call)
        given = dict(named)
        if "training" in spelling.names or spelling.open:
            given["training"] = training
        inside = self.compute_dtype if self.autocast else None
        trace = Trace.inside(op, training)
        with tracing(trace), op.computing_in(inside):
            if inside is not None:
                x, given = cast_floats(op, x, inside), cast_floats(op, given, inside)
            result = self.call(traced(x), **traced(given))
            if result is None:
                raise ValueError(
                    f"`call` of layer {type(self).__name__} has returned None. It must return a "
                    "tensor, or a list, tuple or dict of them."
                )
            return trace.values(result)


def policy_for(dtype: object) -> dtypes.Policy:
    """Return the policy that a layer's `dtype` names; None is that of the process."""
    return dtypes.Policy.of(config.get_dtype_policy() if dtype is None else dtype)


def cast_floats(op: Emitter, x: Any, dtype: str) -> Any:
    """Cast a value, or each in a structure, where it has a floating-point type.

    Args:
        op: emitter of the graph.
        x: value, or lists, tuples and dicts of them.
        dtype: standard name; an integer one cuts off fractions.
    """
    values: list[ir.Value] = []
    pattern = take_out(x, lambda part: isinstance(part, ir.Value), values)
    return put_back(
        pattern,
        [
            op.cast(v, dtype) if v.dtype is not None and v.dtype.is_floating_point() else v
            for v in values
        ],
    )
