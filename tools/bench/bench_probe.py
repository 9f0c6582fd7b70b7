"""The machine's own speed: a matrix product of a fixed size in NumPy."""

from __future__ import annotations

import numpy as np
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload

SIZE = 1024
FLOPS = 2 * SIZE**3


def contestants(setup: Setup) -> dict[str, Contestant]:
    """The product alone; it does not look at the workload."""
    return {"probe": Contestant(f"product of {SIZE} x {SIZE} matrices", prepare)}


def versions() -> dict[str, str]:
    """Version of NumPy."""
    return {"numpy": np.__version__}


def prepare(workload: Workload, setup: Setup) -> Prepared:
    """Two matrices and room for their product."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)

    def run(steps: int) -> float:
        for _ in range(steps):
            np.matmul(a, b, out=out)
        return 0.0

    return Prepared(run)
