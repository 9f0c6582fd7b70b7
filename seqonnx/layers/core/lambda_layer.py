"""Lambda: a function on tensors as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import TracedTensor
from seqonnx.graph.signatures import spelling_of
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions


@register("layer")
class Lambda(Layer):
    """Applies a function.

    A function is saved by its name: to load a model, pass it in `custom_objects`. Weights that it
    uses are not part of the layer: write a layer of your own for these.

    Args:
        function: `fn(x)` on tensors, with the functions of `seqonnx.ops`; it may take `mask` and
            `training`.
        output_shape: shape of the output without the batch, or a function of the shape of the
            input; not needed, as the graph tells it; a size that it does not tell is taken from
            here.
        mask: the mask of the output, or a function `fn(x, mask)` that gives it.
        arguments: further arguments of the function, by name.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if it is no function, as where a saved one is not in `custom_objects`.

    Example:
        >>> Lambda(lambda x: x * 2)([[1.0, 2.0]]).tolist()
        [[2.0, 4.0]]
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(
                f"`function` of layer '{self.name}' must be a function `fn(x)` on tensors. A saved "
                f"one is found by its name: pass it as `custom_objects={{'{function}': ...}}`. "
                f"Received: function={function!r}"
            )
        self.function = function
        self.output_shape = output_shape if callable(output_shape) else _sizes(output_shape)
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Call the function."""
        spelling = spelling_of(self.function)
        given = {"mask": mask, "training": training}
        known = {name: value for name, value in given.items() if name in spelling.names}
        y = self.function(inputs, **known, **self.arguments)
        if self.output_shape is None or not isinstance(y, TracedTensor):
            return y
        shape: Any = self.output_shape
        declared = shape(inputs.shape)[1:] if callable(shape) else shape
        return y.with_sizes((None, *declared), f"`output_shape` of layer '{self.name}'")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask that was given, or what the function for it returns."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask


def _sizes(output_shape: Any) -> tuple[int | None, ...] | None:
    """The declared shape of one sample."""
    if output_shape is None:
        return None
    given = plain_value(output_shape)
    return (given,) if isinstance(given, int) else tuple(given)
