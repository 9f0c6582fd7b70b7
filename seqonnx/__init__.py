"""seqonnx: a Keras-style Sequential whose models are ONNX graphs.

    import seqonnx as keras
    from seqonnx import layers

    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="relu")])

Names are loaded on first use, so that `import seqonnx` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqonnx import (
        activations,
        applications,
        autodiff,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        random,
        regularizers,
    )
    from seqonnx.config import set_device, set_dtype_policy, set_random_seed
    from seqonnx.constraints import Constraint
    from seqonnx.graph import Variable, clear_session
    from seqonnx.initializers import Initializer
    from seqonnx.layers import Input, InputSpec, Layer
    from seqonnx.losses import Loss
    from seqonnx.metrics import Metric
    from seqonnx.models import Model, Sequential, load_model
    from seqonnx.optimizers import Optimizer
    from seqonnx.regularizers import Regularizer
    from seqonnx.symbolic import SymbolicTensor as KerasTensor

__version__ = "0.1.0"

_ROOMS = (
    "activations",
    "applications",
    "autodiff",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
)
_NAMES = {
    "Constraint": "constraints",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "graph",
    "clear_session": "graph",
    "load_model": "models",
    "set_device": "config",
    "set_dtype_policy": "config",
    "set_random_seed": "config",
}

__all__ = [
    "Constraint",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "applications",
    "autodiff",
    "callbacks",
    "clear_session",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "set_device",
    "set_dtype_policy",
    "set_random_seed",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"seqonnx.{name}")
    if name == "KerasTensor":
        return importlib.import_module("seqonnx.symbolic").SymbolicTensor
    if name in _NAMES:
        return getattr(importlib.import_module(f"seqonnx.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'seqonnx' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
