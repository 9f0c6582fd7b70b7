"""Seeds of one's own: where draws follow another seed than that of the run."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from seqonnx import config
from seqonnx.dtypes import plain_value


class SeedSource(Protocol):
    """A seed that noise follows in the place of the run's."""

    def _at(self, step: int) -> tuple[int, int]:
        """Return seed and step of the noise in a step that is counted outside, as in `fit`."""

    def next(self) -> int:
        """Return the seed of the next run that nothing counts, as a call on arrays."""


class SeedGenerator:
    """A source of seeds: functions that get one draw other numbers at every call.

    In training the numbers follow from its seed and the number of the step, so that a run can be
    resumed and repeated exactly.

    Args:
        seed: the first seed. Default: one of the process (`seqonnx.set_random_seed`), and in
            training that of the run.
        name: name shown.

    Raises:
        ValueError: if the seed is not an integer.

    Example:
        >>> SeedGenerator(1).next() == SeedGenerator(1).next()
        True
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        given = checked_seed(seed)
        self.seed = config.next_seed() if given is None else given
        self.name = "seed_generator" if name is None else name
        self._is_given = given is not None
        self._drawn = 0

    def next(self) -> int:
        """Return the next seed."""
        self._drawn += 1
        key = np.random.SeedSequence([self.seed % 2**64, self._drawn])
        return int(key.generate_state(2, np.uint64)[0] >> np.uint64(1))

    def _at(self, step: int) -> tuple[int, int]:
        """Return seed and step of the noise in a step of training."""
        return self.seed % 2**64, step

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"seed": self.seed if self._is_given else None, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Make a generator that begins anew."""
        return cls(**config)


class FixedSeed:
    """A number as seed of a draw: the same numbers in every run.

    Args:
        seed: the seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed % 2**64

    def _at(self, step: int) -> tuple[int, int]:
        """Return the seed, and always the first step."""
        return self._seed, 0

    def next(self) -> int:
        """Return the seed."""
        return self._seed


def source_of(seed: Any) -> SeedSource | None:
    """Return what draws follow that were given a seed; None: the seed of the run.

    Args:
        seed: a number, a `SeedGenerator`, or None.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(seed, SeedGenerator):
        return seed if seed._is_given else None
    checked = checked_seed(seed)
    return None if checked is None else FixedSeed(checked)


def checked_seed(seed: Any) -> int | None:
    """Return a seed.

    Raises:
        ValueError: if it is neither None nor an integer.

    Example:
        >>> checked_seed(np.int64(3))
        3
    """
    seed = plain_value(seed)
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
    return seed
