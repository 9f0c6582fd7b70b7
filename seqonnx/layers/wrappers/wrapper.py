"""Wrapper: the base of layers that hold another one and change what it does."""

from __future__ import annotations

from typing import Any, Unpack

from seqonnx.layers.base import Layer
from seqonnx.layers.held import as_layer
from seqonnx.layers.options import LayerOptions


class Wrapper(Layer):
    """Base of layers that hold another one; also the way to write one's own.

    A subclass defines `call`, which emits `self.layer` in its own way.

    Args:
        layer: the layer.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `layer` is none.

    Example:
        >>> class Twice(Wrapper):
        ...     def call(self, op, x, training):
        ...         with op.scope(self.layer.name):
        ...             return self.layer._emit(op, self.layer._emit(op, x, training), training)
        >>> Twice(Dense(2, kernel_initializer="ones"))(np.ones((1, 2))).tolist()
        [[4.0, 4.0]]
    """

    def __init__(self, layer: Any, **kwargs: Unpack[LayerOptions]) -> None:
        layer = as_layer(layer)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure "
                "wrapped layer is a valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        """Build the layer inside."""
        self.layer._build_for(input_shape)
