"""`onnxsim.compile_training_loop` as `bench.py` runs it, on a file made by hand."""

from __future__ import annotations

import importlib.metadata
import time
from typing import Any

import numpy as np
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Optimizer, Workload

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def contestants(setup: Setup) -> dict[str, Contestant]:
    """One; it always fetches the loss."""
    import onnxsim

    if not callable(getattr(onnxsim, "compile_training_loop", None)):
        raise RuntimeError(f"onnxsim {onnxsim.__version__} has no compile_training_loop")
    settings = (
        "compile_training_loop; loss fetched in each step; no dropout; batch normalization "
        "spelled out, without moving statistics; threads by default, one for each core"
    )
    return {"onnxsim": Contestant(settings, prepare, refuses)}


def versions() -> dict[str, str]:
    """Versions of onnxsim and ONNX Runtime."""
    return {name: importlib.metadata.version(name) for name in ("onnxsim", "onnxruntime")}


def refuses(workload: Workload) -> str | None:
    """The reason why the file made by hand does not cover a workload."""
    if workload.task == "predict":
        return ""
    if len(workload.base) > 0 or workload.vocabulary > 0:
        return "frozen and recurrent layers are not built for it"
    return None


def prepare(workload: Workload, setup: Setup) -> Prepared:
    """Compile the loop; labels are turned into rows beforehand."""
    import bench_onnx
    import onnxsim

    model, trained = bench_onnx.forward(workload, dropout=False, with_loss=True)
    loop: Any = onnxsim.compile_training_loop(
        model,
        "loss",
        trained,
        optimizer=update_rule(workload.optimizer),
        providers=[PROVIDERS[setup.device]],
    )
    start = time.perf_counter()
    assert loop.step_graph is not None  # builds the graph and its session
    facts = {"step_graph_s": time.perf_counter() - start}
    samples, labels = workload.data()
    x = bench_onnx.images_first(samples)
    y = np.eye(workload.classes, dtype=np.float32)[labels]
    size, rate = workload.batch, workload.optimizer.learning_rate

    def train(steps: int) -> float:
        total = 0.0
        for start in range(0, steps * size, size):
            part = slice(start, start + size)
            total += loop({"x": x[part], "y": y[part]}, lr=rate)
        return total / steps

    return Prepared(train, facts)


def update_rule(optimizer: Optimizer) -> Any:
    """The optimizer as onnxsim takes it; plain descent is not among its own."""
    if optimizer.name == "adam":
        return "adam"
    if optimizer.momentum == 0.9:
        return "sgd_momentum"
    import onnx.parser
    import onnxsim.compile_training

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "descent (float[1] weight, float[1] grad, float lr) => (float[1] next)"
        "{ change = Mul(lr, grad) next = Sub(weight, change) }"
    )
    return onnxsim.compile_training.CustomOptimizer(model, 0)
