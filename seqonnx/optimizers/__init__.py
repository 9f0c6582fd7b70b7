"""Optimizers: how gradients change variables; and learning rate schedules."""

from seqonnx.optimizers import legacy, schedules
from seqonnx.optimizers.adadelta import Adadelta
from seqonnx.optimizers.adafactor import Adafactor
from seqonnx.optimizers.adagrad import Adagrad
from seqonnx.optimizers.adam import Adam, AdamW
from seqonnx.optimizers.adamax import Adamax
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.ftrl import Ftrl
from seqonnx.optimizers.lamb import Lamb
from seqonnx.optimizers.lion import Lion
from seqonnx.optimizers.lookup import deserialize, get, serialize
from seqonnx.optimizers.loss_scale_optimizer import LossScaleOptimizer
from seqonnx.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from seqonnx.optimizers.muon import Muon
from seqonnx.optimizers.nadam import Nadam
from seqonnx.optimizers.rmsprop import RMSprop
from seqonnx.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from seqonnx.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)
