"""Callbacks: what happens around the epochs and batches of fit, evaluate and predict."""

from seqonnx.callbacks.base import Callback
from seqonnx.callbacks.callback_list import CallbackList
from seqonnx.callbacks.csv_logger import CSVLogger
from seqonnx.callbacks.early_stopping import EarlyStopping
from seqonnx.callbacks.history import History
from seqonnx.callbacks.lambda_callback import LambdaCallback
from seqonnx.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from seqonnx.callbacks.model_checkpoint import ModelCheckpoint
from seqonnx.callbacks.progress import Progbar, ProgbarLogger
from seqonnx.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Progbar",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]


def __dir__() -> list[str]:
    return sorted(__all__)
