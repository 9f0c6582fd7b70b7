"""Dtypes of layers: weights have one, computation may have another."""

from __future__ import annotations

from typing import Any

from seqonnx import config, dtypes
from seqonnx.graph import Emitter
from seqonnx.graph.signatures import check_method


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

    def _emit_typed(self, op: Emitter, x: Any, training: bool) -> Any:
        """Emit `call` on inputs of the working type; its outputs get the type computed in."""
        check_method(self, "Layer", "call", "op", "x", "training")
        if not self.autocast:
            return self.call(op, x, training)
        inside, outside = self._working_dtype, self.compute_dtype
        with op.computing_in(inside):
            y = self.call(op, cast_floats(op, x, inside), training)
        return y if inside == outside else cast_floats(op, y, outside)


def policy_for(dtype: object) -> dtypes.Policy:
    """Return the policy that a layer's `dtype` names; None is that of the process."""
    return dtypes.Policy.of(config.get_dtype_policy() if dtype is None else dtype)


def cast_floats(op: Emitter, x: Any, dtype: str) -> Any:
    """Cast a value, or each of a list, where it has a floating-point type.

    Args:
        op: emitter of the graph.
        x: value or list of values.
        dtype: standard name; an integer one cuts off fractions.
    """
    if isinstance(x, list | tuple):
        return [cast_floats(op, part, dtype) for part in x]
    if x.dtype is None or not x.dtype.is_floating_point():
        return x
    return op.cast(x, dtype)
