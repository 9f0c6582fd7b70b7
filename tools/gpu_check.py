"""The checks that need a GPU, as one table: parity with the CPU, and timing.

    python tools/gpu_check.py [--device cuda] [--steps 10]

Exits with 1 if a check fails, with 2 if the device cannot be had.
"""

from __future__ import annotations

import argparse
import platform
import runpy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import seqonnx as keras
from seqonnx.autodiff import gradients
from seqonnx.errors import DeviceError
from seqonnx.runtime import Session, load_onnxruntime, placement, select_device

MODELS = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    check: str
    measured: str
    limit: str
    passed: bool


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the largest value of `a`."""
    return float(np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-12))


def fresh(name: str) -> keras.Sequential:
    """Build a model of `models/` with the weights of seed 0."""
    keras.set_random_seed(0)
    keras.clear_session()
    return runpy.run_path(str(MODELS / f"{name}.py"))["build"]()


def images(model: keras.Sequential, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels that fit a model."""
    rng = np.random.default_rng(0)
    x = rng.random((count, *model.input_shape[1:]), dtype=np.float32)
    return x, rng.integers(0, 10, count)


def check_forward(name: str, device: str) -> Row:
    """Outputs on the device against the CPU."""
    outputs = []
    for where in ("cpu", device):
        model = fresh(name)
        model.compile(loss="mse", device=where)
        outputs.append(model.predict(images(model, 64)[0], verbose=0))
    worst = difference(*outputs)
    return Row(f"{name}: forward", f"{worst:.1e}", "1e-3", worst <= 1e-3)


def check_gradients(name: str, device: str) -> Row:
    """Gradients of every weight on the device against the CPU."""
    model = fresh(name)
    proto = model.to_onnx()
    wrt = [t.name for t in proto.graph.initializer if t.name.split("/")[-1] in {"kernel", "bias"}]
    graph = gradients(proto, proto.graph.output[0].name, wrt).SerializeToString()
    feeds = {proto.graph.input[0].name: images(model, 16)[0]}
    found = [Session(graph, select_device(where)).run(feeds) for where in ("cpu", device)]
    worst = max(difference(a, b) for a, b in zip(*found, strict=True))
    return Row(f"{name}: gradients", f"{worst:.1e}", "1e-3", worst <= 1e-3)


def check_training(name: str, device: str, steps: int) -> Row:
    """Losses of the first training steps on the device against the CPU."""
    losses = []
    for where in ("cpu", device):
        model = fresh(name)
        keras.set_random_seed(1)
        model.compile("adam", "sparse_categorical_crossentropy", device=where)
        x, y = images(model, 64)
        losses.append(np.array([model.train_on_batch(x, y) for _ in range(steps)]))
    worst = difference(*losses)
    return Row(f"{name}: {steps} training steps", f"{worst:.1e}", "1e-2", worst <= 1e-2)


def time_training(name: str, device: str, batch: int = 128, steps: int = 50) -> Row:
    """Time of one training step on the device and on the CPU."""
    texts = []
    for where in ("cpu", device):
        model = fresh(name)
        model.compile("adam", "sparse_categorical_crossentropy", device=where)
        x, y = images(model, batch * steps)
        model.fit(x[: 3 * batch], y[: 3 * batch], batch_size=batch, verbose=0)
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0)
        texts.append(f"{(time.perf_counter() - start) / steps * 1e3:.2f} ms")
    return Row(f"{name}: step of {batch}, CPU / {device}", " / ".join(texts), "-", True)


def check_placement(name: str, device: str) -> Row:
    """How many nodes of the inference graph the device leaves to the CPU."""
    model = fresh(name)
    providers = placement(model.to_onnx().SerializeToString(), select_device(device))
    left = sorted(node for node, where in providers.items() if where.startswith("CPU"))
    text = f"{len(left)} of {len(providers)} nodes on the CPU"
    return Row(f"{name}: placement", f"{text} {left[:3] if device != 'cpu' else ''}", "-", True)


def run(device: str, steps: int, console: Console) -> int:
    """Run all checks and print the table; returns the exit code."""
    try:
        chosen = select_device(device)
    except DeviceError as error:
        console.print(f"{error}", style="red", soft_wrap=True)
        return 2
    runtime = load_onnxruntime()
    console.print(
        f"onnxruntime {runtime.__version__}, {chosen}, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}",
        soft_wrap=True,
    )
    table = Table("check", "measured", "limit", "")
    failed = 0
    checks: list[Callable[[], Row]] = []
    for name in ("digits_cnn", "mnist_cnn"):
        checks += [
            lambda n=name: check_forward(n, device),
            lambda n=name: check_gradients(n, device),
            lambda n=name: check_training(n, device, steps),
            lambda n=name: check_placement(n, device),
            lambda n=name: time_training(n, device),
        ]
    for check in checks:
        row = check()
        failed += not row.passed
        table.add_row(row.check, row.measured, row.limit, "ok" if row.passed else "FAILED")
    console.print(table)
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Check a GPU against the CPU.")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, … (default: cuda)")
    parser.add_argument("--steps", type=int, default=10, help="training steps to compare")
    options = parser.parse_args(arguments)
    return run(options.device, options.steps, Console())


if __name__ == "__main__":
    sys.exit(main())
