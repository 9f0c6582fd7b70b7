"""The calculus: one module per family of operators, listed here and loaded on first use."""

from __future__ import annotations

import importlib

FAMILIES = (
    "arithmetic",
    "elementary",
    "activation",
    "linear",
    "einsum",
    "reduction",
    "shape",
    "slicing",
    "indexing",
    "scattering",
    "softmax",
    "losses",
    "convolution",
    "max_pooling",
    "average_pooling",
    "normalization",
    "batch_normalization",
    "noise",
    "recurrent",
    "resize",
    "attention",
    "fourier",
    "image",
    "sampled",
    "regions",
    "max_roi_pool",
    "quantization",
    "control_flow",
    "sequences",
    "discrete",
)


def load() -> None:
    """Import every family, which registers its rules; later calls do nothing."""
    for family in FAMILIES:
        importlib.import_module(f"{__name__}.{family}")
