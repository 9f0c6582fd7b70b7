"""Savings of recomputation: peak memory of training deep networks, each in a fresh process.

    python tools/bench/memory_check.py [--workload dense] [--steps 4]

The peak is that of resident memory (`ru_maxrss`) while training, less what was resident before.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

import seqonnx as keras
from seqonnx import layers

DEPTH = 24


def dense() -> tuple[keras.Sequential, int]:
    """A deep stack of Dense layers: 2 MB of activations a layer."""
    hidden = [layers.Dense(256, activation="relu") for _ in range(DEPTH)]
    return keras.Sequential([keras.Input((256,)), *hidden, layers.Dense(10)]), 2048


def convolution() -> tuple[keras.Sequential, int]:
    """A deep stack of Conv2D layers: 4 MB of activations a layer."""
    hidden = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(DEPTH)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return keras.Sequential([keras.Input((32, 32, 16)), *hidden, *head]), 64


def normalized() -> tuple[keras.Sequential, int]:
    """Conv2D, BatchNormalization, activation: 3 x 1 MB of activations a block."""
    hidden = []
    for _ in range(DEPTH):
        hidden.append(layers.Conv2D(16, 3, padding="same", use_bias=False))
        hidden += [layers.BatchNormalization(), layers.Activation("relu")]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return keras.Sequential([keras.Input((16, 16, 16)), *hidden, *head]), 64


WORKLOADS = {"dense": dense, "convolution": convolution, "normalized": normalized}


def resident() -> float:
    """Highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(workload: str, recompute: bool, steps: int) -> dict[str, float]:
    """Train in this process; returns MB, milliseconds a step and the loss."""
    # One sample first: what the libraries and the building of graphs take is not counted.
    for rows in (1, None):
        keras.set_random_seed(0)
        model, batch = WORKLOADS[workload]()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, device="cpu", recompute=recompute)
        rng = np.random.default_rng(0)
        x = rng.random((rows or batch, *model.input_shape[1:]), dtype=np.float32)
        y = rng.integers(0, 10, rows or batch)
        before = resident()
        model.train_on_batch(x, y)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        last = model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
    return {"memory": resident() - before, "time": min(times) * 1e3, "loss": last}


def measure_apart(workload: str, recompute: bool, steps: int) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, __file__, "--workload", workload, "--steps", str(steps)]
    command += ["--here", "recompute" if recompute else "keep"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Measure what recomputation saves.")
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default: all")
    parser.add_argument("--steps", type=int, default=4, help="steps to measure")
    parser.add_argument("--here", choices=("keep", "recompute"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    workloads = options.workload or list(WORKLOADS)
    if options.here is not None:
        found = measure(workloads[0], options.here == "recompute", options.steps)
        sys.stdout.write(json.dumps(found))
        return 0
    table = Table("workload", "recompute", "peak MB", "fastest step ms", "loss")
    for workload in workloads:
        for recompute in (False, True):
            found = measure_apart(workload, recompute, options.steps)
            row = (f"{found['memory']:.0f}", f"{found['time']:.0f}", f"{found['loss']:.7f}")
            table.add_row(workload, str(recompute), *row)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
