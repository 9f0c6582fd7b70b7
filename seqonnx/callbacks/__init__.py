"""Callbacks: what happens around the epochs and batches of fit, evaluate and predict."""

from seqonnx.callbacks.backup_and_restore import BackupAndRestore
from seqonnx.callbacks.base import Callback
from seqonnx.callbacks.callback_list import CallbackList
from seqonnx.callbacks.csv_logger import CSVLogger
from seqonnx.callbacks.early_stopping import EarlyStopping
from seqonnx.callbacks.history import History
from seqonnx.callbacks.lambda_callback import LambdaCallback
from seqonnx.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from seqonnx.callbacks.model_checkpoint import ModelCheckpoint
from seqonnx.callbacks.progress import Progbar, ProgbarLogger
from seqonnx.callbacks.remote_monitor import RemoteMonitor
from seqonnx.callbacks.swap_ema_weights import SwapEMAWeights
from seqonnx.callbacks.tensorboard import TensorBoard
from seqonnx.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
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
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]


def __dir__() -> list[str]:
    return sorted(__all__)
