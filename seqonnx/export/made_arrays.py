"""Weights that are made of others when their turn to be written comes: never all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy.typing as npt

from seqonnx.graph.files import Arrays
from seqonnx.graph.mapped import read_array

Array = npt.NDArray[Any]
Work = Callable[[Array], Array]


class MadeArrays(Mapping[str, Array]):
    """Arrays by name, some of which are made of others when they are asked for.

    Args:
        arrays: those that there are.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._made: dict[str, tuple[str, Work]] = {}
        self._kept: dict[str, Array] = {}
        self._spent: set[str] = set()

    def is_given(self, name: str) -> bool:
        """Return whether an array is there as it was given."""
        return name in self._arrays and name not in self._spent and name not in self._made

    def change(self, source: str, name: str, work: Work, *, spent: bool = True) -> None:
        """Make an array of another one when it is asked for.

        Args:
            source: name of the array that it is made of.
            name: its own name.
            work: makes it.
            spent: whether the source is not there any more.
        """
        self._made[name] = source, work
        if spent and name != source:
            self._spent.add(source)

    def keep(self, source: str, made: Mapping[str, Array]) -> None:
        """Take arrays that are small enough to be made at once in the place of another one."""
        self._kept.update(made)
        self._spent.add(source)

    def __getitem__(self, name: str) -> Array:
        if name in self._kept:
            return self._kept[name]
        if name not in self._made:
            return self._arrays[name]
        source, work = self._made[name]
        return work(read_array(self._arrays[source]))

    def __iter__(self) -> Iterator[str]:
        yield from filter(self.is_given, self._arrays)
        yield from (*self._made, *self._kept)

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self._kept or self.is_given(str(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)
