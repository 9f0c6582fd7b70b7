"""Dtypes of layers: weights have one, computation may have another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, Trace
from seqonnx.graph.signatures import check_method, spelling_of
from seqonnx.graph.tracing import traced, tracing
from seqonnx.structures import put_back, take_out


class Typed:
    """The dtypes of a layer; the base of `Layer`."""

    autocast = True
    """Whether floating-point inputs and weights are cast to the dtype that the layer computes in.

    Where that is an integer or bool, fractions are cut off. Inputs of other dtypes are not cast.
    """

    _casts_integers = False
    """Whether inputs of integers and bools are cast like floats: the layer multiplies or averages.

    Keras's functions promote there; ONNX's operators take one dtype.
    """

    _data_dtype: str | None = None
    """Dtype that data are given in, `"string"` or `"int64"`; None: numbers, as the layer wants."""

    _takes_quantized_dtype = False
    """Whether the layer has a form whose large weight is stored as integers."""

    _policy: dtypes.DTypePolicy

    @property
    def quantization_mode(self) -> str | None:
        """The form of the integers that the large weight is stored as; None where it is not."""
        return self._policy.quantization_mode

    def _policy_of(self, dtype: object) -> dtypes.DTypePolicy:
        """The policy that the argument `dtype` stands for.

        Raises:
            ValueError: if it stands for none, or for integers that this layer does not have.
        """
        policy = dtypes.DTypePolicy.of(dtype)
        if policy.quantization_mode is not None and not self._takes_quantized_dtype:
            raise ValueError(
                f"Layer {type(self).__name__} has no form whose weights are stored as integers; "
                "Dense, EinsumDense, Embedding and ReversibleEmbedding have. "
                f"Received: dtype={policy.name!r}"
            )
        return policy

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""
        return self._policy.variable_dtype

    @property
    def dtype_policy(self) -> dtypes.DTypePolicy:
        """The policy; equal to its name: a dtype, `"mixed_float16"` or `"mixed_bfloat16"`."""
        return self._policy

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
            cast = cast_numbers if self._casts_integers else cast_floats
            y = self._call_on_values(op, cast(op, x, inside), training, given)
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


def cast_floats(op: Emitter, x: Any, dtype: str) -> Any:
    """Cast a value, or each in a structure, where it has a floating-point type.

    Args:
        op: emitter of the graph.
        x: value, or lists, tuples and dicts of them.
        dtype: standard name; an integer one cuts off fractions.
    """
    return _cast_where(op, x, dtype, lambda kind: kind.is_floating_point())


def cast_numbers(op: Emitter, x: Any, dtype: str) -> Any:
    """Cast a value, or each in a structure, where it holds numbers or bools (see `cast_floats`)."""
    return _cast_where(op, x, dtype, lambda kind: kind != ir.DataType.STRING)


def _cast_where(op: Emitter, x: Any, dtype: str, wanted: Callable[[ir.DataType], bool]) -> Any:
    """Cast the values in a structure whose dtype is wanted."""
    values: list[ir.Value] = []
    pattern = take_out(x, lambda part: isinstance(part, ir.Value), values)
    cast = [op.cast(v, dtype) if v.dtype is not None and wanted(v.dtype) else v for v in values]
    return put_back(pattern, cast)
