"""seqonnx as `bench.py` runs it: through `fit`, `model(x)` and `predict`, nothing else."""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from bench_keras_api import build, compile_model, missing_layer
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy


def contestants(setup: Setup) -> dict[str, Contestant]:
    """Training or calls, and `predict` where the workload is inference."""
    import onnxruntime

    import seqonnx

    assert onnxruntime.__version__ != ""
    share_threads(setup.threads)
    seqonnx.set_device(setup.device)
    return {
        "seqonnx": Contestant("fit; model(x) for inference", prepare, refuses),
        "seqonnx-predict": Contestant("predict", prepare_predict, refuses_training),
    }


def versions() -> dict[str, str]:
    """Versions of seqonnx and of what it runs on."""
    import onnxruntime

    import seqonnx

    return {
        "seqonnx": seqonnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "onnx": importlib.metadata.version("onnx"),
    }


@cache
def share_threads(count: int) -> None:
    """Size the pool that all sessions of seqonnx use; it would take every core of the machine."""
    import onnxruntime

    onnxruntime.set_global_thread_pool_sizes(count, 1)


def refuses(workload: Workload) -> str | None:
    """The reason why seqonnx does not cover a workload: it lacks a layer."""
    import seqonnx

    return missing_layer(seqonnx, workload)


def refuses_training(workload: Workload) -> str | None:
    """The same; and `predict` does not train."""
    return "" if workload.task == "train" else refuses(workload)


def prepare(workload: Workload, setup: Setup) -> Prepared:
    """Train through `fit`, whose loop over the batches is what is timed; or call the model."""
    import seqonnx

    seqonnx.set_random_seed(0)
    model = build(seqonnx, workload)
    x, y = workload.data()
    size = workload.batch
    facts: dict[str, float] = {}
    if workload.task == "predict":
        return Prepared(lambda steps: call(model, x, size, steps))
    options = {}
    if "steps_per_execution" in inspect.signature(model.compile).parameters:
        options["steps_per_execution"] = workload.steps_per_execution
    compile_model(seqonnx, model, workload, **options)

    def train(steps: int) -> float:
        part = slice(0, steps * size)
        with step_graph_timed(facts):
            history = model.fit(
                x[part], y[part], batch_size=size, epochs=1, verbose=0, shuffle=False
            )
        return float(history.history["loss"][0])

    return Prepared(train, facts)


def prepare_predict(workload: Workload, setup: Setup) -> Prepared:
    """Predict all batches in one call."""
    import seqonnx

    model = build(seqonnx, workload)
    x, _ = workload.data()
    size = workload.batch

    def predict(steps: int) -> float:
        model.predict(x[: steps * size], batch_size=size, verbose=0)
        return 0.0

    return Prepared(predict)


def call(model: Any, x: Any, size: int, steps: int) -> float:
    """Call the model on one batch after the other."""
    for start in range(0, steps * size, size):
        model(x[start : start + size])
    return 0.0


@contextmanager
def step_graph_timed(facts: dict[str, float]) -> Iterator[None]:
    """Note how long the step graph takes to be built, if that happens for the first time now."""
    from seqonnx.training import trainer

    original = getattr(trainer, "build_train_step", None)
    if original is None or "step_graph_s" in facts:
        yield
        return

    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        built = original(*arguments, **named)
        facts["step_graph_s"] = time.perf_counter() - start
        return built

    with mock.patch.object(trainer, "build_train_step", timed):
        yield
