"""Layers that apply an activation, and the `activation=` argument of the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import activations, constraints, dtypes, initializers, regularizers
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.activation.masked import mask_for, masked_softmax
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape

ActivationLike = Callable[..., Any]
"""An activation function `(op, x)`, or a layer without weights."""


def get_activation(identifier: Any) -> ActivationLike:
    """Return what an `activation=` argument stands for; a layer without weights is one too.

    Args:
        identifier: see `activations.get`; or a layer such as `LeakyReLU(0.1)`.

    Returns:
        A function `(op, x)`, or the layer.

    Raises:
        ValueError: if it is none of these, or a layer with weights.
    """
    if not isinstance(identifier, Layer):
        return activations.get(identifier)
    if type(identifier).build is not Layer.build:
        raise ValueError(
            f"A layer with weights cannot be the `activation` of another: add "
            f"{type(identifier).__name__} to the model as a layer of its own. "
            f"Received: activation={identifier}"
        )
    return identifier


def emit_activation(
    op: Emitter, activation: ActivationLike, x: ir.Value, training: bool
) -> ir.Value:
    """Emit an activation function, or a layer used as one."""
    y: ir.Value = (
        activation.call(op, x, training) if isinstance(activation, Layer) else activation(op, x)
    )
    return y


def serialize_activation(activation: ActivationLike) -> Any:
    """Return an activation as JSON holds it: its name, or the layer used as one."""
    if isinstance(activation, Layer):
        return {
            "class_name": type(activation).__name__,
            "config": plain_value(activation.get_config()),
        }
    return activations.serialize(activation)


def _not_negative(name: str, value: float | None) -> float:
    if value is None or value < 0.0:
        raise ValueError(
            f"{name} of a ReLU layer cannot be a negative value. Received: {name}={value}"
        )
    return float(value)


def _limit(value: float | None) -> float | None:
    """The upper limit of a ReLU, checked."""
    if value is not None and value < 0.0:
        raise ValueError(
            f"max_value of a ReLU layer cannot be a negative value. Received: max_value={value}"
        )
    return None if value is None else float(value)


def _leak(value: float | None) -> float:
    """The slope of a leaky ReLU, checked."""
    if value is None or value < 0.0:
        raise ValueError(
            "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. "
            f"Expected a float. Received: negative_slope={value}"
        )
    return float(value)


@register("layer")
class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: name such as `"relu"`, or a function `(op, x)` that emits it.
        **kwargs: see `Layer`.

    Example:
        >>> Activation("relu")([[-1.0, 1.0]]).tolist()
        [[0.0, 1.0]]
    """

    supports_masking = True

    activation: Setting[ActivationLike] = Setting(get_activation)

    def __init__(self, activation: Any, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the activation."""
        return emit_activation(op, self.activation, x, training)


@register("layer")
class ReLU(Layer):
    """max(x, 0), with options: what is below `threshold` becomes `negative_slope` (x - threshold).

    Args:
        max_value: upper limit of the output, >= 0, or None.
        negative_slope: slope below the threshold, >= 0.
        threshold: what is above it passes, >= 0; at the threshold itself the output is 0.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an option is negative.

    Example:
        >>> ReLU(max_value=6.0)([[-1.0, 8.0]]).tolist()
        [[0.0, 6.0]]
    """

    supports_masking = True

    max_value: Setting[float | None] = Setting(_limit)
    negative_slope: Setting[float] = Setting(lambda given: _not_negative("negative_slope", given))
    threshold: Setting[float] = Setting(lambda given: _not_negative("threshold", given))

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float | None = 0.0,
        threshold: float | None = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the activation."""
        y: ir.Value = activations.relu(op, x, self.negative_slope, self.max_value, self.threshold)
        return y


@register("layer")
class LeakyReLU(Layer):
    """x where positive, else `negative_slope` x.

    Args:
        negative_slope: slope below 0, >= 0. (The activation `"leaky_relu"` has another default,
            0.2, as in Keras.)
        alpha: old name of `negative_slope`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the slope is None or negative.

    Example:
        >>> LeakyReLU(0.5)([[-1.0, 1.0]]).tolist()
        [[-0.5, 1.0]]
    """

    _casts_integers = True

    supports_masking = True

    negative_slope: Setting[float] = Setting(_leak)

    def __init__(
        self,
        negative_slope: float | None = 0.3,
        *,
        alpha: float | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if alpha is not None:
            warnings.warn(
                "Argument `alpha` is deprecated. Use `negative_slope` instead.",
                UserWarning,
                stacklevel=2,
            )
            negative_slope = alpha
        self.negative_slope = negative_slope

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the activation."""
        y: ir.Value = activations.leaky_relu(op, x, self.negative_slope)
        return y


@register("layer")
class ELU(Layer):
    """x where positive, else alpha (exp(x) - 1) (Clevert et al., 2016).

    Args:
        alpha: negative limit of the output.
        **kwargs: see `Layer`.

    Example:
        >>> ELU()([[0.0, 1.0]]).tolist()
        [[0.0, 1.0]]
    """

    _casts_integers = True

    supports_masking = True

    alpha: Setting[float] = Setting(float)

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the activation."""
        y: ir.Value = activations.elu(op, x, self.alpha)
        return y


@register("layer")
class PReLU(Layer):
    """x where positive, else a learned slope times x (He et al., 2015).

    Args:
        alpha_initializer: first slopes.
        alpha_regularizer: penalty on the slopes.
        alpha_constraint: limits of the slopes.
        shared_axes: axes, counted with the batch as 0, along which all share one slope: `[1, 2]`
            gives one slope to each channel of an image.
        **kwargs: see `Layer`.

    Example:
        >>> PReLU(alpha_initializer="ones")([[-1.0, 1.0]]).tolist()
        [[-1.0, 1.0]]
    """

    _casts_integers = True

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        shared_axes = plain_value(shared_axes)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if axes is None else list(axes)
        self.alpha: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Declare the slopes."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or []:
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        fixed = {axis: size for axis, size in enumerate(shape, 1) if size is not None and size > 1}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the activation."""
        return op.PRelu(x, self.alpha)


@register("layer")
class Softmax(Layer):
    """exp(x) divided by its sum.

    A call takes a further argument `mask`: bool (or numbers, those above 0.5 count), True where an
    entry counts; the others become 0. By default it is the mask that the input brings along.

    Args:
        axis: axis, or axes, along which the outputs sum to 1.
        **kwargs: see `Layer`.

    Example:
        >>> Softmax()([[0.0, 0.0]]).tolist()
        [[0.5, 0.5]]
    """

    _casts_integers = True

    supports_masking = True

    axis: Setting[int | list[int]] = Setting(
        lambda given: given if isinstance(given, int) else list(given)
    )

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    @property
    def _working_dtype(self) -> str:
        """At least float32, in which a sum of exponentials does not overflow."""
        return dtypes.widened(self.compute_dtype)

    def call(self, op: Emitter, x: ir.Value, training: bool, mask: Any = None) -> ir.Value:
        """Emit the softmax over the entries that count."""
        known = None if mask is None else mask_for(op, mask, x)
        return masked_softmax(op, x, self.axis, known)
