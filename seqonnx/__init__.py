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
        optimizers,
        regularizers,
    )
    from seqonnx.config import set_device, set_dtype_policy, set_random_seed
    from seqonnx.graph import Variable, clear_session
    from seqonnx.layers import Input, Layer
    from seqonnx.models import Model, Sequential, load_model

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
    "optimizers",
    "regularizers",
)
_NAMES = {
    "Input": "layers",
    "Layer": "layers",
    "Model": "models",
    "Sequential": "models",
    "Variable": "graph",
    "clear_session": "graph",
    "load_model": "models",
    "set_device": "config",
    "set_dtype_policy": "config",
    "set_random_seed": "config",
}

__all__ = [
    "Input",
    "Layer",
    "Model",
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
    "optimizers",
    "regularizers",
    "set_device",
    "set_dtype_policy",
    "set_random_seed",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"seqonnx.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"seqonnx.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'seqonnx' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
