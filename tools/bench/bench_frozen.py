"""Savings of freezing the base of a network: Xception at 96 x 96, timed in turns in one run.

A step with a frozen base should cost about the forward pass of the base plus a step of the head:
nothing is differentiated below the head and no activation is kept.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.table import Table

SIZE, BATCH, CLASSES = 96, 8, 10
LIMIT = 1.2
"""Frozen step over forward pass of the base plus step of the head."""


def parts(device: str) -> dict[str, Callable[[], Any]]:
    """The four things that are timed, warmed up."""
    import seqonnx as keras
    from seqonnx import layers

    rng = np.random.default_rng(0)
    x = rng.random((BATCH, SIZE, SIZE, 3), dtype=np.float32)
    y = rng.integers(0, CLASSES, BATCH)

    def base() -> Any:
        keras.set_random_seed(0)
        return keras.applications.Xception(
            weights=None, include_top=False, pooling="avg", input_shape=(SIZE, SIZE, 3)
        )

    def compiled(stack: list[Any]) -> Any:
        model = keras.Sequential([*stack, layers.Dense(CLASSES, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", device=device)
        return model

    whole, frozen_base, only = compiled([base()]), base(), base()
    frozen_base.trainable = False
    frozen = compiled([frozen_base])
    features = only(x)
    head = compiled([keras.Input(features.shape[1:])])
    made = {
        "whole step": lambda: whole.train_on_batch(x, y),
        "frozen step": lambda: frozen.train_on_batch(x, y),
        "forward pass of the base": lambda: only(x),
        "step of the head": lambda: head.train_on_batch(features, y),
    }
    for run in made.values():
        run()
    return made


def measure(device: str, rounds: int) -> dict[str, float]:
    """Median milliseconds of each part, taken in turns."""
    made = parts(device)
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, run in made.items():
            run()  # the threads of the part before stop spinning
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def ratios(medians: dict[str, float]) -> dict[str, float]:
    """The cost of freezing, and its saving."""
    floor = medians["forward pass of the base"] + medians["step of the head"]
    return {
        f"frozen step / (forward + head), at most {LIMIT}": medians["frozen step"] / floor,
        "whole step / frozen step, at least 2.5": medians["whole step"] / medians["frozen step"],
    }


def table(medians: dict[str, float]) -> Table:
    """The figures for people."""
    made = Table("Xception 96 x 96, batch 8", "median", title="frozen base")
    for name, value in medians.items():
        made.add_row(name, f"{value:.1f} ms")
    made.add_section()
    for name, value in ratios(medians).items():
        made.add_row(name, f"{value:.2f}")
    return made
