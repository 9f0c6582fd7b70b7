"""Lambda: a function on tensors as a layer."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, Unpack

from seqonnx import catalogue, registration
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import TracedTensor
from seqonnx.graph.signatures import spelling_of
from seqonnx.importers.keras.code import dump_function, is_lambda, trusted_function
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions

_FUNCTIONS: Final = ("function", "output_shape", "mask")
"""Arguments that may be functions."""


@register("layer")
class Lambda(Layer):
    """Applies a function.

    A function is saved by its name: to load a model, pass it in `custom_objects`, or register it. A
    Python lambda is saved with its code, which is only run where `safe_mode=False` or
    `config.enable_unsafe_deserialization()` say that the file is trusted. Weights that a function
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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        given = {key: getattr(self, key) for key in _FUNCTIONS}
        return super().get_config() | {key: _written(value) for key, value in given.items()}

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
        safe_mode: bool | None = None,
    ) -> Self:
        """Make a layer from the configuration returned by `get_config`, here or in Keras 3.

        Args:
            config: the constructor's arguments.
            custom_objects: functions by name.
            safe_mode: whether the code of a lambda is refused; None: as the loading function
                around this says, else it is refused.

        Raises:
            ValueError: for a lambda in safe mode, or if a function is not known.
        """
        found = {key: _found(config.get(key), custom_objects, safe_mode) for key in _FUNCTIONS}
        return super().from_config({**config, **found})


def _written(value: Any) -> Any:
    """A function in a configuration: the code of a lambda, the name of another one."""
    if not callable(value):
        return plain_value(value)
    if not isinstance(value, types.FunctionType) or value.__name__ != "<lambda>":
        return catalogue.saved_name(value)
    code, defaults, closure = dump_function(value)
    if not _is_plain([defaults, closure]):
        return value.__name__  # what it holds from outside is no text
    parts = {"code": code, "defaults": defaults, "closure": closure}
    return {"class_name": "__lambda__", "config": parts}


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold a value."""
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _found(value: Any, custom: Mapping[str, Any] | None, safe: bool | None) -> Any:
    """An argument, from its place in a configuration."""
    known = {} if custom is None else custom
    if is_lambda(value):
        named = known.get("<lambda>")
        return trusted_function(value, _LAMBDA, safe=safe) if named is None else named
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        value = value.get("registered_name") or value.get("config")
    if not isinstance(value, str):
        return value
    own = registration.own_object(value, known)
    found = next(filter(None, (catalogue.find(kind, value) for kind in _KINDS)), value)
    return found if own is None else own


_LAMBDA: Final = "`Lambda` layer whose `function` is a Python lambda"
_KINDS: Final = ("op", "activation")
"""Where functions of seqonnx's are found by name."""


def _sizes(output_shape: Any) -> tuple[int | None, ...] | None:
    """The declared shape of one sample."""
    if output_shape is None:
        return None
    given = plain_value(output_shape)
    return (given,) if isinstance(given, int) else tuple(given)
