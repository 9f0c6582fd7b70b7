"""SpectralNormalization: a layer whose kernel has the largest singular value 1."""

from __future__ import annotations

from typing import Any, Final, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable, dtype_name
from seqonnx.initializers import TruncatedNormal
from seqonnx.layers.base import InputSpec
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.layers.wrappers.wrapper import Wrapper
from seqonnx.symbolic import Shape

_SHORTEST: Final = 1e-7
"""The least length that a vector is divided by."""


def _iterations(count: Any) -> int:
    """The number of iterations, checked."""
    if count <= 0:
        raise ValueError(
            f"`power_iterations` should be greater than zero. Received: `power_iterations={count}`"
        )
    return int(plain_value(count))


@register("layer")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its spectral norm, at each step of training (Miyato et al.,
    2018).

    The norm is estimated by power iterations from a vector that is kept from step to step. The
    kernel itself is replaced; the optimizer goes on from there.

    Args:
        layer: a layer with a `kernel`, such as Dense or Conv2D, or with `embeddings`.
        power_iterations: how often the vector is multiplied at each step.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if there is no iteration, or the layer has no kernel.

    Example:
        >>> SpectralNormalization(Dense(2))(np.ones((1, 3))).shape
        (1, 2)
    """

    power_iterations: Setting[int] = Setting(_iterations)

    def __init__(
        self, layer: Any, power_iterations: int = 1, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = power_iterations
        self.kernel: Variable | None = None
        self.vector_u: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Build the layer inside, and declare the vector."""
        super().build(input_shape)
        last = input_shape[-1]
        self.input_spec = InputSpec(min_ndim=1, axes={} if last is None else {-1: last})
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if not isinstance(kernel, Variable):
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'"
            )
        self.kernel = kernel
        self._variables.append(kernel)  # first among the weights, as in Keras's files
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the layer, in training with the kernel over its norm."""
        assert self.kernel is not None
        if not training:
            return self._inside(op, x, training)
        with op.computing_in(None):
            normalized = self._normalized(op, self.kernel)
        with op.standing_for(self.kernel, normalized):
            y = self._inside(op, x, training)
        op.update(self.kernel, normalized)
        return y

    def _inside(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """The layer inside."""
        with op.scope(self.layer.name):
            y: ir.Value = self.layer._emit(op, x, training)
        return (
            op.cast(y, dtype_name(x)) if x.dtype is not None and x.dtype.is_floating_point() else y
        )

    def _normalized(self, op: Emitter, kernel: Variable) -> ir.Value:
        """The kernel over its norm; moves the vector. A kernel of zeros stays as it is."""
        assert self.vector_u is not None
        before = op.updates.get(kernel, op.read(kernel))
        shown = before
        if kernel._layout is not None:
            shown = op.Transpose(before, perm=[int(axis) for axis in np.argsort(kernel._layout)])
        matrix = op.Reshape(shown, [-1, kernel.shape[-1]])
        first = u = op.updates.get(self.vector_u, op.read(self.vector_u))
        for _ in range(self.power_iterations):
            v = _of_length_one(op, op.MatMul(u, op.Transpose(matrix, perm=[1, 0])))
            u = _of_length_one(op, op.MatMul(v, matrix))
        norm = op.MatMul(op.MatMul(v, matrix), op.Transpose(u, perm=[1, 0]))
        empty = op.Equal(op.ReduceMax(op.Abs(matrix), keepdims=0), 0.0)
        op.update(self.vector_u, op.Where(empty, first, u))
        return op.Div(before, op.Where(empty, 1.0, op.Squeeze(norm)))


def _of_length_one(op: Emitter, vector: ir.Value) -> ir.Value:
    """A vector over its length."""
    length = op.Sqrt(op.ReduceSum(op.Mul(vector, vector), keepdims=1))
    return op.Div(vector, op.Max(length, _SHORTEST))
