"""More layers as data: those of transformers, U-Nets and MobileNets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from bench_specs import Shape, Spec, Weights, scaled, window_shape


@dataclass(frozen=True)
class SelfAttention(Spec):
    """Attention of a sequence to itself: `heads` heads that share the width, with biases."""

    heads: int

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernels (width, heads, size) and biases of query, key and value; those of the output."""
        width = given[-1]
        split = (self.heads, width // self.heads)
        made: Weights = {}
        for name in ("query", "key", "value"):
            made[name] = scaled(rng, (width, *split), 2 * width)
            made[f"{name}_bias"] = np.zeros(split, np.float32)
        made["output"] = scaled(rng, (*split, width), 2 * width)
        made["output_bias"] = np.zeros(width, np.float32)
        return made

    def macs(self, given: Shape) -> int:
        """Of the four products with kernels, and of the two between positions."""
        length, width = given
        return 4 * length * width**2 + 2 * length**2 * width


@dataclass(frozen=True)
class LayerNorm(Spec):
    """Normalization over the features of each position."""

    epsilon: float = 1e-5

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Scale and shift."""
        return {"gamma": np.ones(given[-1], np.float32), "beta": np.zeros(given[-1], np.float32)}


@dataclass(frozen=True)
class Gelu(Spec):
    """x times the normal distribution's share below x."""


@dataclass(frozen=True)
class Relu6(Spec):
    """max(x, 0), at most 6."""


@dataclass(frozen=True)
class MeanOverTime(Spec):
    """The mean of each feature over a sequence."""

    def shape(self, given: Shape) -> Shape:
        """The features."""
        return (given[-1],)


@dataclass(frozen=True)
class Depthwise(Spec):
    """A convolution of each channel by itself without bias, with a border of zeros."""

    size: int = 3
    strides: int = 1
    border: int = 1

    def shape(self, given: Shape) -> Shape:
        """Shape by the border, the window and the strides."""
        wide = tuple(side + 2 * self.border for side in given)
        return (*window_shape(wide, self.size, self.strides, "valid"), given[-1])

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernel (height, width, channels, 1)."""
        shape = (self.size, self.size, given[-1], 1)
        return {"kernel": scaled(rng, shape, self.size**2)}

    def macs(self, given: Shape) -> int:
        """One per entry of a window and place of the output."""
        return math.prod(self.shape(given)) * self.size**2


@dataclass(frozen=True)
class UpConv(Spec):
    """A transposed convolution that doubles height and width: windows of 2 x 2 side by side."""

    filters: int

    def shape(self, given: Shape) -> Shape:
        """Both sides doubled."""
        return (2 * given[0], 2 * given[1], self.filters)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernel (2, 2, filters, channels) and bias."""
        return {
            "kernel": scaled(rng, (2, 2, self.filters, given[-1]), given[-1]),
            "bias": np.zeros(self.filters, np.float32),
        }

    def macs(self, given: Shape) -> int:
        """One per entry of the kernel and place of the input."""
        return math.prod(given) * 4 * self.filters
