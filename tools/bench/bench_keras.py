"""Keras 3 as `bench.py` runs it, on the backend that KERAS_BACKEND names: through `fit`."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from bench_keras_api import build, compile_model
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload


def contestants(setup: Setup) -> dict[str, Contestant]:
    """One for the backend; on TensorFlow with and without XLA."""
    backend = os.environ["KERAS_BACKEND"]
    limit_threads(backend, setup)
    import keras

    assert keras.backend.backend() == backend
    several = "fit, several steps per execution for small models"
    if backend == "tensorflow":
        return {
            "keras-tensorflow": Contestant(f"tf.function, {several}", partial(prepare, jit=False)),
            "keras-tensorflow-xla": Contestant(
                f"jit_compile=True, {several}", partial(prepare, jit=True)
            ),
        }
    if backend == "jax":
        return {"keras-jax": Contestant(f"jit_compile=True, {several}", partial(prepare, jit=True))}
    return {"keras-torch": Contestant("eager, fit", partial(prepare, jit=False))}


def versions() -> dict[str, str]:
    """Versions of Keras and of its backend."""
    import importlib.metadata

    import keras

    backend = keras.backend.backend()
    names = {"tensorflow": ("tensorflow-cpu", "tensorflow")}.get(backend, (backend,))
    found = {"keras": keras.__version__}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def limit_threads(backend: str, setup: Setup) -> None:
    """Tell the backend how many threads it may use; JAX goes by the cores left to the process."""
    if backend == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(setup.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        missing = setup.device == "cuda" and not tensorflow.config.list_physical_devices("GPU")
    elif backend == "jax":
        import jax

        missing = setup.device == "cuda" and jax.default_backend() != "gpu"
    else:
        import torch

        torch.set_num_threads(setup.threads)
        missing = setup.device == "cuda" and not torch.cuda.is_available()
    if missing:
        raise RuntimeError(f"{backend} finds no CUDA device")


def prepare(workload: Workload, setup: Setup, *, jit: bool) -> Prepared:
    """The compiled model and arrays in memory."""
    import keras

    keras.utils.set_random_seed(0)
    model = build(keras, workload)
    x, y = workload.data()
    size = workload.batch
    compile_model(
        keras,
        model,
        workload,
        jit_compile=jit,
        steps_per_execution=1 if keras.backend.backend() == "torch" else per_execution(workload),
    )
    if workload.task == "predict":
        return Prepared(predictor(model, x, size))

    def train(steps: int) -> float:
        part = slice(0, steps * size)
        history = model.fit(x[part], y[part], batch_size=size, epochs=1, verbose=0, shuffle=False)
        return float(history.history["loss"][0])

    return Prepared(train)


def per_execution(workload: Workload) -> int:
    """Steps that one call of the compiled function takes."""
    return workload.steps_per_execution if workload.task == "train" else 1


def predictor(model: Any, x: Any, size: int) -> Any:
    """`predict_on_batch`, compiled by the backend."""

    def predict(steps: int) -> float:
        for start in range(0, steps * size, size):
            model.predict_on_batch(x[start : start + size])
        return 0.0

    return predict
