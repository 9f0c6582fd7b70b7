"""Draws: random numbers for each image of a batch."""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, dtype_name, static_shape
from seqonnx.layers.preprocessing.factors import Pair

ONE = (1, 1, 1)
"""Sizes of one number for each image, which spreads over its channels and pixels."""


_PROPOSALS = 8


class Draws:
    """Makes random numbers for images: the first axis is that of the batch.

    Args:
        op: emitter.
        images: the batch.
    """

    def __init__(self, op: Emitter, images: ir.Value) -> None:
        self._op = op
        self._batch: Dim = static_shape(images)[0]
        self._dtype = dtype_name(images)

    def uniform(self, limits: Pair = (0.0, 1.0), sizes: tuple[Dim, ...] = ONE) -> ir.Value:
        """Return uniform numbers, (batch, *sizes).

        Args:
            limits: where they lie: from the first up to, but without, the second.
            sizes: shape for each image.

        Raises:
            ValueError: if a size is not known.
        """
        op, (low, high) = self._op, limits
        if not all(isinstance(size, int) for size in sizes):
            raise ValueError(
                f"Layer '{op.scope_name}' draws numbers for every pixel and needs images of known "
                f"size. Received: sizes={sizes}. Give the model's `Input` a fixed shape."
            )
        made = op.cast(op.random_uniform((self._batch, *sizes)), self._dtype)
        made = made if (low, high) == (0.0, 1.0) else op.Mul(made, float(high - low))
        return made if low == 0.0 else op.Add(made, float(low))

    def below(self, limit: ir.Value | float, sizes: tuple[Dim, ...] = ONE) -> ir.Value:
        """Return whether a uniform number lies below a limit: true with that probability."""
        return self._op.Less(self.uniform(sizes=sizes), limit)

    def chance(self, factor: Pair) -> ir.Value:
        """Return whether an image is changed, with a probability drawn from `factor`."""
        return self.below(self.uniform(factor))

    def integers(self, count: int, sizes: tuple[Dim, ...] = ONE) -> ir.Value:
        """Return integers from 0 up to, but without, `count`."""
        op = self._op
        return op.Cast(op.Floor(self.uniform((0, count), sizes)), to=ir.DataType.INT64)

    def normal(self, sizes: tuple[Dim, ...]) -> ir.Value:
        """Return normally distributed numbers, (batch, *sizes), by Box and Muller (1958)."""
        op = self._op
        # 1 - u lies in (0, 1]: its logarithm is finite.
        radius = op.Sqrt(op.Mul(op.Log(op.Sub(1.0, self.uniform(sizes=sizes))), -2.0))
        return op.Mul(radius, op.Cos(self.uniform((0, 2 * math.pi), sizes)))

    def symmetric_beta(self, shape: ir.Value | float, sizes: tuple[Dim, ...] = ONE) -> ir.Value:
        """Return numbers of the distribution Beta(shape, shape).

        From Student's t by Bailey's method, as Devroye ("Random variate generation in one line of
        code", 1996) has it: with uniform u and v, w = u^(1 / shape) and c = cos(2 pi v),
        (1 + c / sqrt(w / (1 - w) + c^2)) / 2.

        Args:
            shape: the distribution's parameter, above 0.
            sizes: shape for each image.
        """
        op = self._op
        inverse = 1.0 / shape if isinstance(shape, float) else op.Div(1.0, shape)
        power = op.Pow(self.uniform(sizes=sizes), inverse)
        turned = op.Cos(self.uniform((0, 2 * math.pi), sizes))
        spread = op.Add(op.Div(power, op.Sub(1.0, power)), op.Mul(turned, turned))
        return op.Mul(op.Add(op.Div(turned, op.Sqrt(spread)), 1.0), 0.5)

    def gamma(self, shape: float, sizes: tuple[Dim, ...]) -> ir.Value:
        """Return numbers of the distribution Gamma(shape, 1).

        By Marsaglia and Tsang ("A simple method for generating gamma variables", 2000): of several
        proposals the first that is accepted counts. Each is accepted with a probability of at
        least 0.95, so all fail in less than one of 10^10 cases; then the last one counts. At 1 the
        distribution is the exponential one, and no proposals are needed.

        Args:
            shape: the distribution's parameter, above 0.
            sizes: shape for each image.
        """
        op = self._op
        if shape == 1.0:
            return op.Neg(op.Log(op.Sub(1.0, self.uniform(sizes=sizes))))
        third = (shape if shape >= 1.0 else shape + 1.0) - 1.0 / 3.0
        made: ir.Value | None = None
        for _ in range(_PROPOSALS):
            normal, limit = self.normal(sizes), self.uniform(sizes=sizes)
            root = op.Add(op.Mul(normal, 1.0 / math.sqrt(9.0 * third)), 1.0)
            cube = op.Max(op.Mul(op.Mul(root, root), root), 1e-30)
            rest = op.Add(op.Sub(op.Log(cube), cube), 1.0)
            bound = op.Add(op.Mul(op.Mul(normal, normal), 0.5), op.Mul(rest, third))
            accepted = op.And(op.Greater(root, 0.0), op.Less(op.Log(op.Sub(1.0, limit)), bound))
            # Backwards: the proposal that is seen last is the first one.
            made = cube if made is None else op.Where(accepted, cube, made)
        assert made is not None
        scaled = op.Mul(made, third)
        if shape >= 1.0:
            return scaled
        return op.Mul(scaled, op.Pow(op.Sub(1.0, self.uniform(sizes=sizes)), 1.0 / shape))

    def order(self) -> ir.Value:
        """Return the numbers of the images of the batch in random order."""
        op = self._op
        keys = self.uniform(sizes=())
        return op.TopK(keys, op.Shape(keys), axis=0, _outputs=2)[1]
