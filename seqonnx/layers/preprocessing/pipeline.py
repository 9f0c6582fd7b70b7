"""Pipeline: layers one after the other, as one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from seqonnx.catalogue import register
from seqonnx.layers.base import Layer
from seqonnx.layers.held import held_entry
from seqonnx.layers.preprocessing.image_layer import is_data
from seqonnx.layers.serialization import deserialize


@register("layer")
class Pipeline(Layer):
    """Applies layers one after the other.

    Called on data it calls each layer on what the one before has given, so that dicts with
    `"images"` and `"labels"` go through; `training` is True there by default, as in Keras.

    Args:
        layers: the layers.
        name: name, unique in a model.

    Raises:
        ValueError: if `layers` is no list of layers.

    Example:
        >>> Pipeline([Rescaling(0.5), Rescaling(1.0, offset=1.0)])([[2.0]]).tolist()
        [[2.0]]
    """

    autocast = False  # each layer casts for itself

    def __init__(self, layers: Sequence[Layer], name: str | None = None) -> None:
        super().__init__(name=name)
        if not isinstance(layers, list | tuple) or not all(isinstance(x, Layer) for x in layers):
            raise ValueError(f"Argument `layers` must be a list of layers. Received: {layers!r}")
        self.layers = list(layers)

    def call(self, inputs: Any, mask: Any = None, training: bool = True) -> Any:
        """Call the layers; a mask goes with the tensor that it is of."""
        for layer in self.layers:
            inputs = layer(inputs, training=training)
        return inputs

    def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the layers to a symbolic tensor or to data; see `Layer`."""
        if args or kwargs or not is_data(x):
            return super().__call__(x, *args, training=training, **kwargs)
        return self.call(x, training=training is not False)

    def get_config(self) -> dict[str, Any]:
        """Return the layers, as plain values that JSON can hold, and the name."""
        return {"layers": [held_entry(layer) for layer in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a pipeline from the configuration returned by `get_config`, here or in Keras 3.

        Raises:
            ValueError: if it lists no layers.
        """
        layers = config.get("layers")
        if not isinstance(layers, list | tuple):
            raise ValueError(
                "`Pipeline` config must contain a `layers` key mapping to a list of serialized "
                f"layers. Received config with layers={layers}."
            )
        return cls(**(config | {"layers": [_made(layer) for layer in layers]}))


def _made(layer: Any) -> Any:
    """A layer from its configuration."""
    return deserialize(layer) if isinstance(layer, Mapping) else layer
