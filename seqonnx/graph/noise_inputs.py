"""Noise of a graph: an input for each draw, and the seed that it follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import onnx_ir as ir

from seqonnx.graph.reading import Dim, static_shape
from seqonnx.seeds import SeedSource


class NoiseInput(NamedTuple):
    """An input that every run fills with noise.

    Args:
        shape: its shape; the first axis counts samples.
        stream: its number among the noise inputs of the graph, or among those of its source.
        source: the seed of its own that it follows; None: that of the run.
    """

    shape: tuple[Dim, ...]
    stream: int
    source: SeedSource | None = None

    def times(self, steps: int) -> NoiseInput:
        """Return it for several steps, which are the first axis."""
        return self._replace(shape=(steps, *self.shape))


class NoiseInputs:
    """The noise inputs of a graph in the making.

    Attributes:
        values: the inputs by name.
    """

    def __init__(self) -> None:
        self.values: dict[str, ir.Value] = {}
        self._followed: dict[str, tuple[int, SeedSource]] = {}
        self._drawn: dict[SeedSource, int] = {}
        self._source: SeedSource | None = None
        self._products: dict[Dim, tuple[Dim, Dim]] = {}

    def add(self, value: ir.Value) -> None:
        """Note an input; it follows the source of this moment."""
        name = str(value.name)
        self.values[name] = value
        if self._source is not None:
            stream = self._drawn.get(self._source, 0)
            self._followed[name] = (stream, self._source)
            self._drawn[self._source] = stream + 1

    @contextmanager
    def following(self, source: SeedSource | None) -> Iterator[None]:
        """Let what is drawn inside follow a source; None: as outside."""
        outside = self._source
        self._source = outside if source is None else source
        try:
            yield
        finally:
            self._source = outside

    def declared(self) -> dict[str, NoiseInput]:
        """Return the inputs by name, with their shapes as they are now."""
        return {
            name: NoiseInput(static_shape(value), *self._followed.get(name, (number, None)))
            for number, (name, value) in enumerate(self.values.items())
        }

    def product_of(self, first: Dim, second: Dim) -> Dim:
        """Return the size of an axis that two axes have become; see `Emitter.product_of`."""
        if first is None or second is None:
            return None
        if isinstance(first, int) and isinstance(second, int):
            return first * second
        product = f"{first}*{second}"
        self._products[product] = (first, second)
        return product

    def factors_of(self, shape: Sequence[Dim]) -> tuple[Dim, Dim] | None:
        """Return the sizes whose product the first size is, if it was made by `product_of`."""
        return self._products.get(shape[0]) if len(shape) > 0 else None
