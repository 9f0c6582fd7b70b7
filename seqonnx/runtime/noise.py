"""Noise from a counter: the same seed, step and name always give the same numbers.

Nothing is remembered between steps, so a run can stop anywhere and be repeated exactly.
The generator is Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def uniform_noise(
    seed: int, step: int, name: str, shape: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Return uniform noise in [0, 1).

    Args:
        seed: seed of the run.
        step: number of the training step.
        name: name of the noise input, such as `"dropout/noise"`.
        shape: shape wanted.

    Returns:
        float32 array.

    Example:
        >>> uniform_noise(7, 0, "dropout/noise", (2, 3)).shape
        (2, 3)
    """
    key = [seed, zlib.crc32(name.encode())]
    generator = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, step]))
    return generator.random(tuple(shape), dtype=np.float32)
