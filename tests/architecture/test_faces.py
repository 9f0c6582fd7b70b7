"""`dir()`, and so completion in an editor, shows what a user may use and nothing else."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

ROOMS = (
    "activations",
    "applications",
    "callbacks",
    "constraints",
    "datasets",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "regularizers",
)
MODULES_FOR_USERS = {
    "applications": {"imagenet", "mobilenet_v2", "resnet50", "vgg16", "vgg19", "xception"},
    "datasets": {"mnist"},
    "optimizers": {"schedules"},
}
"""Modules that Keras has under these names, too."""


@pytest.mark.parametrize("room", ROOMS)
def test_dir_of_a_room_is_its_public_names(room):
    module = importlib.import_module(f"seqonnx.{room}")
    assert dir(module) == sorted(module.__all__)
    assert not any(name.startswith("_") for name in module.__all__)
    modules = {name for name in dir(module) if isinstance(getattr(module, name), ModuleType)}
    assert modules == MODULES_FOR_USERS.get(room, set())


KERAS = {
    "losses.Loss": {"call", "dtype", "from_config", "get_config"},
    "metrics.Metric": {
        "add_variable",
        "add_weight",
        "from_config",
        "get_config",
        "reset_state",
        "result",
        "update_state",
        "variables",
    },
    "optimizers.Optimizer": {
        "apply",
        "exclude_from_weight_decay",
        "from_config",
        "get_config",
        "iterations",
        "learning_rate",
        "variables",
    },
    "optimizers.schedules.LearningRateSchedule": {"from_config", "get_config"},
    "callbacks.Callback": {
        "model",
        "set_model",
        "set_params",
        *(f"on_{mode}_{edge}" for mode in ("train", "test", "predict", "epoch", "batch")
          for edge in ("begin", "end")),
        *(f"on_{mode}_batch_{edge}" for mode in ("train", "test", "predict")
          for edge in ("begin", "end")),
    },
    "regularizers.Regularizer": {"from_config", "get_config"},
    "constraints.Constraint": {"from_config", "get_config"},
    "initializers.Initializer": {"clone", "from_config", "get_config"},
}  # fmt: skip
"""Public names of Keras 3.15.1's classes, as `dir` showed them; those that are here."""

FOR_WRITING_ONES_OWN = {
    "optimizers.Optimizer": {"elementwise", "prepare", "slots", "update"},
    "callbacks.Callback": {"params"},  # an attribute of objects in Keras
}
"""Names that docs/extending.md gives to users besides."""


@pytest.mark.parametrize("name", KERAS)
def test_public_names_of_a_base_class_are_those_of_keras(name):
    room, _, cls = name.rpartition(".")
    base = getattr(importlib.import_module(f"seqonnx.{room}"), cls)
    public = {member for member in dir(base) if not member.startswith("_")}
    assert public == KERAS[name] | FOR_WRITING_ONES_OWN.get(name, set())
