"""Models: Sequential and Model, and loading them from files."""

from seqonnx.models.cloning import clone_model
from seqonnx.models.keras_json import model_from_json
from seqonnx.models.live_keras import from_keras
from seqonnx.models.loading import load_model
from seqonnx.models.model import Model
from seqonnx.models.saving_functions import save_model
from seqonnx.models.sequential import Sequential

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "from_keras",
    "load_model",
    "model_from_json",
    "save_model",
]


def __dir__() -> list[str]:
    return __all__
