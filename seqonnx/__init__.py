"""seqonnx: a Keras-style Sequential whose models are ONNX graphs.

    import seqonnx as keras
    from seqonnx import layers

    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="relu")])

Names are loaded on first use, so that `import seqonnx` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seqonnx.release import __version__ as __version__

if TYPE_CHECKING:
    from seqonnx import (
        activations,
        applications,
        autodiff,
        backend,
        callbacks,
        config,
        constraints,
        data,
        datasets,
        dtype_policies,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        preprocessing,
        quantizers,
        random,
        regularizers,
        saving,
        tree,
        utils,
        wrappers,
    )
    from seqonnx.config import device, set_device, set_dtype_policy, set_random_seed
    from seqonnx.constraints import Constraint
    from seqonnx.dtypes import DTypePolicy, FloatDTypePolicy
    from seqonnx.graph import Variable, clear_session
    from seqonnx.initializers import Initializer
    from seqonnx.layers import Input, InputSpec, Layer
    from seqonnx.losses import Loss
    from seqonnx.metrics import Metric
    from seqonnx.models import Model, Sequential, from_keras, load_model
    from seqonnx.optimizers import Optimizer
    from seqonnx.quantizers import Quantizer
    from seqonnx.regularizers import Regularizer
    from seqonnx.report import inspect
    from seqonnx.symbolic import SymbolicTensor as KerasTensor
    from seqonnx.training import GradientTape, function, grad, value_and_grad

_ROOMS = (
    "activations",
    "applications",
    "autodiff",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "distillation",
    "dtype_policies",
    "initializers",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "wrappers",
)
_NAMES = {
    "Constraint": "constraints",
    "DTypePolicy": "dtypes",
    "FloatDTypePolicy": "dtypes",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "GradientTape": "training",
    "function": "training",
    "grad": "training",
    "value_and_grad": "training",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "graph",
    "device": "config",
    "clear_session": "graph",
    "from_keras": "models",
    "inspect": "report",
    "load_model": "models",
    "set_device": "config",
    "set_dtype_policy": "config",
    "set_random_seed": "config",
}

__all__ = [
    "Constraint",
    "DTypePolicy",
    "FloatDTypePolicy",
    "GradientTape",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Quantizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "applications",
    "autodiff",
    "backend",
    "callbacks",
    "clear_session",
    "config",
    "constraints",
    "data",
    "datasets",
    "device",
    "distillation",
    "dtype_policies",
    "from_keras",
    "function",
    "grad",
    "initializers",
    "inspect",
    "layers",
    "legacy",
    "load_model",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "saving",
    "set_device",
    "set_dtype_policy",
    "set_random_seed",
    "tree",
    "utils",
    "value_and_grad",
    "version",
    "wrappers",
]


def version() -> str:
    """Return the version of seqonnx."""
    return __version__


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
