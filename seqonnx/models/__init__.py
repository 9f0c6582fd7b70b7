"""Models: Sequential and Model, and loading them from files."""

from seqonnx.models.loading import load_model
from seqonnx.models.model import Model
from seqonnx.models.sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]


def __dir__() -> list[str]:
    return __all__
