"""Initializers scaled by the size of the weight: Glorot, He, LeCun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.initializers.base import Array, as_dtype
from seqonnx.initializers.sampling import Sampled, normal, truncated_normal, uniform
from seqonnx.seeds import SeedGenerator

_MODES: Final = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS: Final = ("truncated_normal", "untruncated_normal", "uniform")

_CUT_STDDEV: Final = 0.87962566103423978
"""Standard deviation of the standard normal distribution cut at two standard deviations."""


@register("initializer", "variance_scaling")
class VarianceScaling(Sampled):
    """Values with the variance `scale / n`, where n counts a unit's inputs, outputs or their mean.

    Args:
        scale: positive factor.
        mode: n is `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"`, `"uniform"`.
        seed: see `Sampled`.
        input_axes: axes of the weight over which a unit has inputs, for other weights than those
            of `fans`; both or none.
        output_axes: axes of the weight over which there are units.

    Raises:
        ValueError: for another mode or distribution, or a scale that is not positive.

    Example:
        >>> VarianceScaling(2.0, "fan_in", seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0.0:
            raise ValueError(
                "Argument `scale` must be positive float. "
                f"Received: scale={scale} of type {type(scale)}."
            )
        if mode not in _MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {_MODES}.")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. "
                f"Please use one of {_DISTRIBUTIONS}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = plain_value(input_axes)
        self.output_axes = plain_value(output_axes)

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        """Draw a value."""
        inputs, outputs = self._fans(shape)
        fan = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            value = limit * (2.0 * uniform(generator, shape, dtype) - 1.0)
        elif self.distribution == "truncated_normal":
            stddev = math.sqrt(variance) / _CUT_STDDEV
            value = stddev * truncated_normal(generator, shape, dtype)
        else:
            value = math.sqrt(variance) * normal(generator, shape, dtype)
        return as_dtype(value, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; axes only where they were given."""
        config = super().get_config()
        if self.input_axes is None and self.output_axes is None:
            del config["input_axes"], config["output_axes"]
        return config

    def _fans(self, shape: Sequence[int]) -> tuple[float, float]:
        """How many inputs and outputs a unit of a weight has."""
        if self.input_axes is None or self.output_axes is None:
            return fans(shape)
        inputs, outputs = (
            math.prod(shape[axis] for axis in axes) for axes in (self.input_axes, self.output_axes)
        )
        return inputs, outputs


class _Named(VarianceScaling):
    """Base of the scalings that carry a name: they take a seed and the axes, see there."""

    _scaling: tuple[float, str, str]

    def __init__(
        self,
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._scaling, seed, input_axes, output_axes)


@register("initializer", "glorot_uniform")
class GlorotUniform(_Named):
    """Uniform, variance 2 / (inputs + outputs) (Glorot and Bengio, 2010)."""

    _scaling = (1.0, "fan_avg", "uniform")


@register("initializer", "glorot_normal")
class GlorotNormal(_Named):
    """Truncated normal, variance 2 / (inputs + outputs) (Glorot and Bengio, 2010)."""

    _scaling = (1.0, "fan_avg", "truncated_normal")


@register("initializer", "he_normal")
class HeNormal(_Named):
    """Truncated normal, variance 2 / inputs (He et al., 2015)."""

    _scaling = (2.0, "fan_in", "truncated_normal")


@register("initializer", "he_uniform")
class HeUniform(_Named):
    """Uniform, variance 2 / inputs (He et al., 2015)."""

    _scaling = (2.0, "fan_in", "uniform")


@register("initializer", "lecun_normal")
class LecunNormal(_Named):
    """Truncated normal, variance 1 / inputs (LeCun et al., 1998)."""

    _scaling = (1.0, "fan_in", "truncated_normal")


@register("initializer", "lecun_uniform")
class LecunUniform(_Named):
    """Uniform, variance 1 / inputs (LeCun et al., 1998)."""

    _scaling = (1.0, "fan_in", "uniform")


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """Return how many inputs and outputs a unit has whose weight has this shape.

    Args:
        shape: `(in, out)`, or `(…, in, out)` where the leading axes are a convolution's window.

    Returns:
        Inputs and outputs of one unit.

    Example:
        >>> fans((3, 3, 16, 32))
        (144, 288)
    """
    if len(shape) < 2:
        size = shape[0] if len(shape) == 1 else 1
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window
