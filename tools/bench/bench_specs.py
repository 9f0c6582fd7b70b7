"""Specifications of networks, once for all frameworks: layers as data.

Each layer knows the shape it gives, the arrays it starts from (in the layout of Keras) and its
multiplications. A framework's own file turns these descriptions into its own layers; so all of
them build the same network and start from the same weights. Nothing but NumPy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Weights = dict[str, Array]


class Spec:
    """A layer without weights that keeps the shape; the others override what differs."""

    def shape(self, given: Shape) -> Shape:
        """Shape of the output (height, width, channels) or (features,), without the batch."""
        return given

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Initial weights by Keras's names, in Keras's order and layout."""
        return {}

    def macs(self, given: Shape) -> int:
        """Multiplications of the forward pass per sample."""
        return 0


@dataclass(frozen=True)
class Dense(Spec):
    """A product with a matrix, and a bias; of each position of a sequence."""

    units: int

    def shape(self, given: Shape) -> Shape:
        """`units` features."""
        return (*given[:-1], self.units)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernel (in, out) and bias."""
        kernel = scaled(rng, (given[-1], self.units), given[-1])
        return {"kernel": kernel, "bias": np.zeros(self.units, np.float32)}

    def macs(self, given: Shape) -> int:
        """One per entry of the kernel and position."""
        return math.prod(given) * self.units


@dataclass(frozen=True)
class Conv(Spec):
    """A convolution in two dimensions, `border` rows of zeros put on every side beforehand."""

    filters: int
    size: int = 3
    strides: int = 1
    padding: str = "valid"
    bias: bool = True
    border: int = 0

    def shape(self, given: Shape) -> Shape:
        """Shape by the padding's rule."""
        wide = tuple(side + 2 * self.border for side in given)
        return (*window_shape(wide, self.size, self.strides, self.padding), self.filters)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernel (height, width, in, out), and bias where there is one."""
        fan_in = self.size**2 * given[-1]
        kernel = scaled(rng, (self.size, self.size, given[-1], self.filters), fan_in)
        bias = {"bias": np.zeros(self.filters, np.float32)} if self.bias else {}
        return {"kernel": kernel, **bias}

    def macs(self, given: Shape) -> int:
        """One per entry of the kernel and place of the output."""
        return math.prod(self.shape(given)) * self.size**2 * given[-1]


@dataclass(frozen=True)
class SeparableConv(Spec):
    """A convolution of each channel by itself ("same"), then one of 1 x 1 over the channels."""

    filters: int
    size: int = 3
    bias: bool = False

    def shape(self, given: Shape) -> Shape:
        """The same places, `filters` channels."""
        return (*given[:-1], self.filters)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Depthwise kernel (height, width, in, 1), pointwise kernel (1, 1, in, out), bias."""
        channels = given[-1]
        bias = {"bias": np.zeros(self.filters, np.float32)} if self.bias else {}
        return {
            "depthwise": scaled(rng, (self.size, self.size, channels, 1), 2 * self.size**2),
            "pointwise": scaled(rng, (1, 1, channels, self.filters), 2 * channels),
            **bias,
        }

    def macs(self, given: Shape) -> int:
        """Of both convolutions."""
        return math.prod(given) * (self.size**2 + self.filters)


@dataclass(frozen=True)
class BatchNorm(Spec):
    """Normalization over the batch: epsilon 1e-3, momentum 0.99 as in Keras; its first scale."""

    epsilon: float = 1e-3
    momentum: float = 0.99
    scale: float = 1.0

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Scale, shift and moving statistics."""
        ones, zeros = np.ones(given[-1], np.float32), np.zeros(given[-1], np.float32)
        gamma = ones * np.float32(self.scale)
        return {"gamma": gamma, "beta": zeros, "mean": zeros.copy(), "variance": ones}


@dataclass(frozen=True)
class MaxPool(Spec):
    """Maxima of square windows."""

    size: int = 2
    strides: int = 2
    padding: str = "valid"

    def shape(self, given: Shape) -> Shape:
        """Shape by the padding's rule."""
        return (*window_shape(given, self.size, self.strides, self.padding), given[-1])


@dataclass(frozen=True)
class Relu(Spec):
    """max(x, 0)."""


@dataclass(frozen=True)
class Dropout(Spec):
    """Drops a share of the values while training."""

    rate: float


@dataclass(frozen=True)
class Flatten(Spec):
    """All values of a sample in a row, channels last."""

    def shape(self, given: Shape) -> Shape:
        """One axis."""
        return (math.prod(given),)


@dataclass(frozen=True)
class GlobalAveragePool(Spec):
    """The mean of each channel."""

    def shape(self, given: Shape) -> Shape:
        """The channels."""
        return (given[-1],)


@dataclass(frozen=True)
class Embedding(Spec):
    """A row of a table for each integer."""

    vocabulary: int
    units: int

    def shape(self, given: Shape) -> Shape:
        """(length, units)."""
        return (*given, self.units)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """The table."""
        table = rng.uniform(-0.05, 0.05, (self.vocabulary, self.units))
        return {"embeddings": table.astype(np.float32)}


@dataclass(frozen=True)
class Lstm(Spec):
    """Long short-term memory; gives its last output."""

    units: int

    def shape(self, given: Shape) -> Shape:
        """`units` features."""
        return (self.units,)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernels (in, 4 units), (units, 4 units) and bias; gates: input, forget, cell, output."""
        wide = 4 * self.units
        bias = np.zeros(wide, np.float32)
        bias[self.units : 2 * self.units] = 1
        return {
            "kernel": scaled(rng, (given[-1], wide), 2 * given[-1]),
            "recurrent": scaled(rng, (self.units, wide), 2 * self.units),
            "bias": bias,
        }

    def macs(self, given: Shape) -> int:
        """Of all steps."""
        return given[0] * 4 * self.units * (given[-1] + self.units)


@dataclass(frozen=True)
class Gru(Spec):
    """Gated recurrent unit whose reset gate acts after the product; gives its last output."""

    units: int

    def shape(self, given: Shape) -> Shape:
        """`units` features."""
        return (self.units,)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Kernels (in, 3 units), (units, 3 units), bias (2, 3 units); gates: update, reset, new."""
        wide = 3 * self.units
        return {
            "kernel": scaled(rng, (given[-1], wide), 2 * given[-1]),
            "recurrent": scaled(rng, (self.units, wide), 2 * self.units),
            "bias": np.zeros((2, wide), np.float32),
        }

    def macs(self, given: Shape) -> int:
        """Of all steps."""
        return given[0] * 3 * self.units * (given[-1] + self.units)


@dataclass(frozen=True)
class BothWays(Spec):
    """Two LSTMs, one of which walks backwards; gives both last outputs, one behind the other."""

    units: int

    def shape(self, given: Shape) -> Shape:
        """Twice `units` features."""
        return (2 * self.units,)

    def weights(self, given: Shape, rng: np.random.Generator) -> Weights:
        """Those of the forward LSTM, then those of the other."""
        one = Lstm(self.units)
        pair = {"forward": one.weights(given, rng), "backward": one.weights(given, rng)}
        return {f"{way}_{name}": a for way, each in pair.items() for name, a in each.items()}

    def macs(self, given: Shape) -> int:
        """Of all steps of both."""
        return 2 * Lstm(self.units).macs(given)


@dataclass(frozen=True)
class Residual(Spec):
    """The sum of a branch and a shortcut; an empty shortcut is the input itself."""

    main: tuple[Spec, ...]
    shortcut: tuple[Spec, ...] = ()

    def shape(self, given: Shape) -> Shape:
        """Shape of the branch."""
        return output_shape(self.main, given)


@dataclass(frozen=True)
class Beside(Spec):
    """The channels of the input beside those that a branch makes of it."""

    main: tuple[Spec, ...]

    def shape(self, given: Shape) -> Shape:
        """The same places, the channels of both."""
        return (*given[:-1], given[-1] + output_shape(self.main, given)[-1])


def scaled(rng: np.random.Generator, shape: Shape, fan_in: int) -> Array:
    """Normal values whose products with `fan_in` inputs keep their size through a ReLU."""
    return (rng.standard_normal(shape) * math.sqrt(2 / fan_in)).astype(np.float32)


def window_shape(given: Shape, size: int, strides: int, padding: str) -> Shape:
    """Height and width that a window leaves."""
    if padding == "same":
        return tuple(-(-side // strides) for side in given[:-1])
    return tuple((side - size) // strides + 1 for side in given[:-1])


def padding_of(side: int, size: int, strides: int, padding: str) -> tuple[int, int]:
    """The padding that "same" adds before and after one axis."""
    if padding == "valid":
        return 0, 0
    total = max(0, (-(-side // strides) - 1) * strides + size - side)
    return total // 2, total - total // 2


def output_shape(stack: Iterable[Spec], given: Shape) -> Shape:
    """Shape behind a stack."""
    for spec in stack:
        given = spec.shape(given)
    return given


def walk(stack: Iterable[Spec], given: Shape) -> Iterator[tuple[Spec, Shape]]:
    """Every layer with the shape that it is given; a branch goes before its shortcut."""
    for spec in stack:
        if isinstance(spec, Residual | Beside):
            yield from walk(spec.main, given)
            yield from walk(getattr(spec, "shortcut", ()), given)
        else:
            yield spec, given
        given = spec.shape(given)


def initial_weights(stack: Iterable[Spec], given: Shape, seed: int = 0) -> list[Weights]:
    """The weights of every layer that has some, in the order of `walk`."""
    rng = np.random.default_rng(seed)
    made = [spec.weights(shape, rng) for spec, shape in walk(stack, given)]
    return [weights for weights in made if len(weights) > 0]


def forward_flops(stack: Iterable[Spec], given: Shape) -> int:
    """Floating-point operations of the forward pass per sample: two per multiplication."""
    return 2 * sum(spec.macs(shape) for spec, shape in walk(stack, given))


def training_flops(stack: Iterable[Spec], given: Shape) -> int:
    """Of a training step per sample: forward, gradient of weights and of inputs.

    The first layer needs no gradient of its input.
    """
    macs = [spec.macs(shape) for spec, shape in walk(stack, given)]
    first = next((count for count in macs if count > 0), 0)
    return 2 * (3 * sum(macs) - first)


def count_weights(weights: Iterable[Mapping[str, Array]]) -> int:
    """Numbers in all arrays."""
    return sum(array.size for layer in weights for array in layer.values())
