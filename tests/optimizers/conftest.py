"""A fixed problem on which optimizers are compared with their published formulas."""

from __future__ import annotations

import numpy as np
import pytest

STEPS = 10


class Problem:
    """Three layers' worth of parameters, each pulled to a target by its own curvature."""

    def __init__(self):
        rng = np.random.default_rng(0)
        shapes = [(4, 8), (8,), (8, 6), (6,), (6, 3), (3,)]
        self.start = [rng.normal(size=shape) for shape in shapes]
        self.target = [rng.normal(size=shape) for shape in shapes]
        self.curvature = [rng.uniform(0.5, 2.0, size=shape) for shape in shapes]

    def gradients(self, params):
        """Gradient of sum(curvature * (params - target)^2) / 2."""
        parts = zip(params, self.target, self.curvature, strict=True)
        return [c * (p - t) for p, t, c in parts]

    def run(self, optimizer, steps=STEPS):
        """Parameters after some steps of one of our optimizers, in float32."""
        params = [p.astype(np.float32) for p in self.start]
        for _ in range(steps):
            params = optimizer.apply(self.gradients(params), params)
        return params

    def follow(self, formula, steps=STEPS):
        """Parameters after some steps of `formula(w, g, state, t)`, in float64."""
        params = [p.copy() for p in self.start]
        states = [{} for _ in params]
        for t in range(1, steps + 1):
            grads = self.gradients(params)
            params = [formula(w, g, s, t) for w, g, s in zip(params, grads, states, strict=True)]
        return params


@pytest.fixture
def problem():
    return Problem()
