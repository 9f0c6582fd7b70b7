"""The checks that need a GPU, as one table: parity with the CPU, and timing.

    python tools/gpu_check.py [--device cuda] [--steps 10]

Differences are relative to the largest value. A GPU multiplies float32 numbers in TF32 unless told
otherwise; the comparisons are made without it, and once with it where the table says "as trained".
Exits with 1 if a check fails, with 2 if the device cannot be had.
"""

from __future__ import annotations

import argparse
import platform
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

import seqonnx as keras
from seqonnx.autodiff import gradients
from seqonnx.errors import DeviceError, RuntimeNotInstalledError
from seqonnx.runtime import Session, load_onnxruntime, placement, select_device
from seqonnx.training import trainer

MODELS = Path(__file__).resolve().parents[2] / "models"
MODEL_NAMES = ("digits_cnn", "mnist_cnn")


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


def exact(device: str) -> Any:
    """Request a device without TF32, whose products keep 10 bits of each factor."""
    name, _, index = device.partition(":")
    if name != "cuda":
        return device
    options = {"device_id": index or "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


def compared(check: str, worst: float, limit: float) -> Row:
    """A row that passes if a difference is within its limit."""
    return Row(check, f"{worst:.1e}", f"{limit:.0e}", worst <= limit)


def check_forward(name: str, device: str) -> Row:
    """Outputs on the device against the CPU."""
    return compared(f"{name}: forward", forward_difference(name, exact(device)), 1e-4)


def check_forward_tf32(name: str, device: str) -> Row:
    """Outputs with the options that training uses against the CPU."""
    return compared(f"{name}: forward as trained", forward_difference(name, device), 1e-2)


def forward_difference(name: str, device: Any) -> float:
    """Difference between the outputs on the CPU and on a device."""
    outputs = []
    for where in ("cpu", device):
        model = fresh(name)
        model.compile(loss="mse", device=where)
        outputs.append(model.predict(images(model, 64)[0], verbose=0))
    return difference(*outputs)


def check_gradients(name: str, device: str) -> Row:
    """`seqonnx.autodiff.gradients` of every weight on the device against the CPU."""
    model = fresh(name)
    proto = model.to_onnx()
    wrt = [t.name for t in proto.graph.initializer if t.name.split("/")[-1] in {"kernel", "bias"}]
    # The sum of the probabilities is 1 whatever the weights are: take the values before softmax.
    logits = next(node.input[0] for node in proto.graph.node if node.op_type == "Softmax")
    graph = gradients(proto, logits, wrt).SerializeToString()
    feeds = {proto.graph.input[0].name: images(model, 16)[0]}
    devices = [select_device(where) for where in ("cpu", exact(device))]
    found = [Session(graph, where).run(feeds) for where in devices]
    worst = max(difference(a, b) for a, b in zip(*found, strict=True))
    return compared(f"{name}: gradients", worst, 1e-3)


def check_step(name: str, device: str) -> Row:
    """The gradients in the step graph: a step of plain SGD with rate 1 subtracts them."""
    found = []
    for where in ("cpu", exact(device)):
        model = fresh(name)
        keras.set_random_seed(1)
        before = [w.numpy() for w in model.trainable_weights]
        sgd = keras.optimizers.SGD(learning_rate=1.0)
        model.compile(sgd, "sparse_categorical_crossentropy", device=where)
        model.train_on_batch(*images(model, 64))
        after = [w.numpy() for w in model.trainable_weights]
        found.append([b - a for a, b in zip(after, before, strict=True)])
    worst = max(difference(a, b) for a, b in zip(*found, strict=True))
    return compared(f"{name}: gradients of a training step", worst, 1e-3)


def check_training(name: str, device: str, steps: int) -> Row:
    """Losses of the first training steps on the device against the CPU."""
    losses = []
    for where in ("cpu", exact(device)):
        model = fresh(name)
        keras.set_random_seed(1)
        model.compile("adam", "sparse_categorical_crossentropy", device=where)
        x, y = images(model, 64)
        losses.append(np.array([model.train_on_batch(x, y) for _ in range(steps)]))
    return compared(f"{name}: losses of {steps} training steps", difference(*losses), 1e-3)


def check_replay(name: str, device: str, steps: int) -> Row:
    """Losses of training steps that are replayed as CUDA graphs against steps that are not."""
    losses = []
    for replayed in (False, True):
        keras.config.enable_cuda_graphs(replayed)
        model = fresh(name)
        keras.set_random_seed(1)
        model.compile("adam", "sparse_categorical_crossentropy", device=device)
        x, y = images(model, 64)
        losses.append(np.array([model.train_on_batch(x, y) for _ in range(steps)]))
    keras.config.enable_cuda_graphs(False)
    return compared(f"{name}: losses of replayed steps", difference(*losses), 1e-3)


def time_training(name: str, device: str, steps: int, batch: int = 128) -> Row:
    """Time of one training step, shuffling and staging included: on the CPU, on the device, and
    there replayed as a CUDA graph."""
    texts = []
    for where, replayed in (("cpu", False), (device, False), (device, True)):
        keras.config.enable_cuda_graphs(replayed)
        texts.append(f"{milliseconds_of_a_step(name, where, steps, batch):.2f} ms")
    keras.config.enable_cuda_graphs(False)
    what = f"{name}: step of {batch}, CPU / {device} / replayed"
    return Row(what, " / ".join(texts), "-", True)


def time_settings(name: str, device: str, steps: int, batch: int = 128) -> Row:
    """Time of one training step on a GPU as usual, with channels last, in mixed precision, and
    with products in float32 without TF32.

    Channels last (`prefer_nhwc`) is a wish to the provider, whose convolutions then run as cuDNN
    likes them best; what stands between them is transposed.
    """
    index = device.partition(":")[2] or "0"
    options = {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC", "prefer_nhwc": "1"}
    last: Any = [("CUDAExecutionProvider", options), "CPUExecutionProvider"]
    last = device if device == "cpu" else last
    texts = []
    for where, policy in (
        *((device, "float32"), (last, "float32")),
        *((device, "mixed_float16"), (exact(device), "float32")),
    ):
        before = keras.mixed_precision.global_policy()
        keras.mixed_precision.set_global_policy(policy)
        try:
            texts.append(f"{milliseconds_of_a_step(name, where, steps, batch):.2f} ms")
        finally:
            keras.mixed_precision.set_global_policy(before)
    what = f"{name}: step of {batch}, usual / channels last / mixed float16 / without TF32"
    return Row(what, " / ".join(texts), "-", True)


def milliseconds_of_a_step(name: str, device: Any, steps: int, batch: int) -> float:
    """Time of one training step of `fit`, the first ones left out."""
    model = fresh(name)
    model.compile("adam", "sparse_categorical_crossentropy", device=device)
    x, y = images(model, batch * steps)
    model.fit(x[: 3 * batch], y[: 3 * batch], batch_size=batch, verbose=0)
    start = time.perf_counter()
    model.fit(x, y, batch_size=batch, verbose=0)
    return (time.perf_counter() - start) / steps * 1e3


def check_placement(name: str, device: str) -> Row:
    """How many nodes of the inference graph the device leaves to the CPU."""
    model = fresh(name)
    return placed(f"{name}: placement", model.to_onnx().SerializeToString(), device)


def check_step_placement(name: str, device: str) -> Row:
    """How many nodes of a training step the device leaves to the CPU."""
    model = fresh(name)
    model.compile("adam", "sparse_categorical_crossentropy", device=device)
    built: list[bytes] = []
    original = trainer.build_train_step

    def noted(*arguments: Any, **options: Any) -> Any:
        graph = original(*arguments, **options)
        built.append(graph.model)
        return graph

    with mock.patch.object(trainer, "build_train_step", noted):
        model.train_on_batch(*images(model, 16))
    return placed(f"{name}: placement of a training step", built[0], device)


def placed(check: str, graph: bytes, device: str) -> Row:
    """How many nodes of a graph run on the CPU, and some of their names."""
    providers = placement(graph, select_device(device))
    left = sorted(node for node, where in providers.items() if where.startswith("CPU"))
    text = f"{len(left)} of {len(providers)} nodes on the CPU"
    names = f": {', '.join(left[:3])}" if device != "cpu" and len(left) > 0 else ""
    return Row(check, text + names, "-", True)


def all_checks(options: argparse.Namespace) -> Iterator[Callable[[], Row]]:
    """The checks to run, each ready to be called."""
    device = options.device
    for name in options.model or MODEL_NAMES:
        yield partial(check_forward, name, device)
        if device != "cpu":
            yield partial(check_forward_tf32, name, device)
        yield partial(check_gradients, name, device)
        yield partial(check_step, name, device)
        yield partial(check_training, name, device, options.steps)
        yield partial(check_replay, name, device, options.steps)
        yield partial(check_placement, name, device)
        yield partial(check_step_placement, name, device)
        if options.timed_steps > 0:
            yield partial(time_training, name, device, options.timed_steps)
            yield partial(time_settings, name, device, options.timed_steps)


def run(options: argparse.Namespace, console: Console) -> int:
    """Run all checks and print the table; returns the exit code."""
    try:
        chosen = select_device(options.device)
    except (DeviceError, RuntimeNotInstalledError, ValueError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 2
    runtime = load_onnxruntime()
    console.print(
        f"onnxruntime {runtime.__version__}, {chosen}, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}",
        soft_wrap=True,
    )
    table = Table("check", "measured", "limit", "")
    failed = 0
    for check in all_checks(options):
        row = check()
        failed += not row.passed
        table.add_row(row.check, row.measured, row.limit, "ok" if row.passed else "FAILED")
    console.print(table)
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Check a GPU against the CPU.")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, … (default: cuda)")
    parser.add_argument("--model", action="append", choices=MODEL_NAMES, help="default: all")
    parser.add_argument("--steps", type=int, default=10, help="training steps to compare")
    parser.add_argument("--timed-steps", type=int, default=50, help="steps to time; 0: none")
    return run(parser.parse_args(arguments), Console())


if __name__ == "__main__":
    sys.exit(main())
