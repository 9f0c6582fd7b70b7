"""TimeDistributed: a layer applied to every step of a sequence."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.held import as_layer
from seqonnx.layers.options import LayerOptions
from seqonnx.symbolic import Shape


@register("layer")
class TimeDistributed(Layer):
    """Applies a layer to every step: (batch, time, …) to (batch, time, …).

    Steps and sequences become one batch for the layer. In training, a layer that keeps statistics
    of its batches sees the steps one after the other instead, if their number is known.

    Args:
        layer: the layer.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `layer` is none, or the input has no steps.

    Example:
        >>> TimeDistributed(Dense(4))(np.zeros((2, 3, 5))).shape
        (2, 3, 4)
    """

    supports_masking = True
    autocast = False
    """The layer inside has its own dtype."""

    def __init__(self, layer: Any, **kwargs: Unpack[LayerOptions]) -> None:
        layer = as_layer(layer)
        if not isinstance(layer, Layer):
            raise ValueError(
                "Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance. "
                f"Received: {layer}"
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Build the layer for one step."""
        self.layer._build_for(_step_shape(input_shape))

    def call(
        self, op: Emitter, x: ir.Value, training: bool, mask: ir.Value | None = None
    ) -> ir.Value:
        """Emit the layer once for all steps, or once for each.

        Args:
            op: emitter.
            x: sequences, (batch, time, …).
            training: see `Layer.call`.
            mask: (batch, time, …); what has more axes than two is the mask of the steps.
        """
        steps = static_shape(x)[1]
        moving = any(not variable.trainable for variable in self.layer.weights)
        with op.scope(self.layer.name):
            if training and moving and isinstance(steps, int):
                return self._one_by_one(op, x, mask, steps)
            return self._at_once(op, x, training, mask)

    def _at_once(self, op: Emitter, x: ir.Value, training: bool, mask: ir.Value | None) -> ir.Value:
        """All steps as one batch."""
        flat = _merged(op, x)
        if mask is not None:
            op.set_mask(flat, None if len(static_shape(mask)) < 3 else _merged(op, mask))
        y: ir.Value = self.layer._emit(op, flat, training)
        sizes = op.Concat(op.Shape(x, start=0, end=2), op.Shape(y, start=1), axis=0)
        made = op.Reshape(y, sizes, allowzero=1)
        made.shape = ir.Shape([*static_shape(x)[:2], *static_shape(y)[1:]])
        return made

    def _one_by_one(self, op: Emitter, x: ir.Value, mask: ir.Value | None, steps: int) -> ir.Value:
        """Each step in a call of its own."""
        made = []
        for t in range(steps):
            step = op.Gather(x, t, axis=1)
            if mask is not None and len(static_shape(mask)) > 2:
                op.set_mask(step, op.Gather(mask, t, axis=1))
            made.append(op.Unsqueeze(self.layer._emit(op, step, True), [1]))
        return op.Concat(*made, axis=1)


def _step_shape(shape: Any) -> Shape:
    """The shape of one step."""
    if not isinstance(shape, tuple | list) or len(shape) < 3:
        raise ValueError(
            "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 "
            f"dimensions, received: {shape}"
        )
    return (shape[0], *shape[2:])


def _merged(op: Emitter, x: ir.Value) -> ir.Value:
    """A value with its first two axes in one."""
    batch, time, *rest = static_shape(x)
    if all(isinstance(size, int) for size in rest):
        made = op.Reshape(x, [-1, *rest])
    else:
        made = op.Reshape(x, op.Concat([-1], op.Shape(x, start=2), axis=0))
    made.shape = ir.Shape([op.product_of(batch, time), *rest])
    return made
