"""A hand-written ONNX Runtime session on an exported file: the yardstick of inference."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bench_recurrent
from bench_keras_api import build
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def contestants(setup: Setup) -> dict[str, Contestant]:
    """`session.run` on NumPy arrays."""
    import onnxruntime

    provider = PROVIDERS[setup.device]
    if provider not in onnxruntime.get_available_providers():
        raise RuntimeError(f"this ONNX Runtime has no {provider}")
    return {
        "plain-session": Contestant("session.run, default options", prepare, refuses),
        "written-file": Contestant(
            "session.run on a file written by hand", prepare_written, refuses_written
        ),
    }


def versions() -> dict[str, str]:
    """Version of ONNX Runtime."""
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__}


def refuses(workload: Workload) -> str | None:
    """A plain session cannot train."""
    return "" if workload.task == "train" else None


def refuses_written(workload: Workload) -> str | None:
    """There is a file of one recurrent classifier only."""
    return None if bench_recurrent.covers(workload) else ""


def prepare(workload: Workload, setup: Setup) -> Prepared:
    """Export, forget the model, and open the file."""
    import seqonnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        model = build(seqonnx, workload)
        model.export(file)
        return opened(file, workload, setup)


def prepare_written(workload: Workload, setup: Setup) -> Prepared:
    """Open the file that was written by hand."""
    return opened(bench_recurrent.written(workload).SerializeToString(), workload, setup)


def opened(file: Path | bytes, workload: Workload, setup: Setup) -> Prepared:
    """A session on a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup.threads
    session = onnxruntime.InferenceSession(file, options, providers=[PROVIDERS[setup.device]])
    name = session.get_inputs()[0].name
    x, _ = workload.data()
    size = workload.batch

    def predict(steps: int) -> float:
        for start in range(0, steps * size, size):
            session.run(None, {name: x[start : start + size]})
        return 0.0

    return Prepared(predict)
