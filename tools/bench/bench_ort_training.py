"""ONNX Runtime's own training build as `bench.py` runs it: artifacts made by its own tools."""

from __future__ import annotations

import importlib.metadata
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload


def contestants(setup: Setup) -> dict[str, Contestant]:
    """One; it always fetches the loss."""
    import onnxruntime
    import onnxruntime.training.api

    assert onnxruntime.training.api is not None
    settings = (
        "generate_artifacts, Module and Optimizer; loss fetched in each step; descent without "
        "momentum, the only one there is; batch normalization spelled out"
    )
    return {"ort-training": Contestant(settings, prepare, refuses, differs)}


def versions() -> dict[str, str]:
    """Version of the training build."""
    import onnxruntime

    return {
        "onnxruntime-training": onnxruntime.__version__,
        "onnx": importlib.metadata.version("onnx"),
    }


def refuses(workload: Workload) -> str | None:
    """The reason why the file made by hand does not cover a workload."""
    if workload.task == "predict":
        return ""
    if len(workload.base) > 0 or workload.vocabulary > 0:
        return "frozen and recurrent layers are not built for it"
    return None


def differs(workload: Workload) -> str:
    """It has no momentum."""
    return "no momentum" if workload.optimizer.momentum > 0 else ""


def prepare(workload: Workload, setup: Setup) -> Prepared:
    """Generate the artifacts and load them."""
    import bench_onnx
    import numpy as np
    from onnxruntime import SessionOptions
    from onnxruntime.training import api

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        generate(workload, folder)
        facts = {"step_graph_s": time.perf_counter() - start}
        options = SessionOptions()
        options.intra_op_num_threads = setup.threads
        state = api.CheckpointState.load_checkpoint(str(folder / "checkpoint"))
        module = api.Module(
            str(folder / "training_model.onnx"),
            state,
            device=setup.device,
            session_options=options,
        )
        optimizer = api.Optimizer(str(folder / "optimizer_model.onnx"), module)
    optimizer.set_learning_rate(workload.optimizer.learning_rate)
    samples, labels = workload.data()
    x, y = bench_onnx.images_first(samples), labels.astype(np.int64)
    size = workload.batch
    module.train()

    def train(steps: int) -> float:
        total = 0.0
        for start in range(0, steps * size, size):
            part = slice(start, start + size)
            total += float(module(x[part], y[part]))
            optimizer.step()
            module.lazy_reset_grad()
        return total / steps

    return Prepared(train, facts)


def generate(workload: Workload, folder: Path) -> None:
    """Write the four artifacts."""
    import bench_onnx
    from onnxruntime.training import artifacts, onnxblock

    model, trained = bench_onnx.forward(workload, dropout=True, with_loss=False)
    optimizer: Any = (
        onnxblock.optim.AdamW(weight_decay=0.0, eps=1e-7)
        if workload.optimizer.name == "adam"
        else artifacts.OptimType.SGD
    )
    artifacts.generate_artifacts(
        model,
        requires_grad=trained,
        loss=artifacts.LossType.CrossEntropyLoss,
        optimizer=optimizer,
        artifact_directory=str(folder),
    )
