"""`dir()`, and so completion in an editor, shows what a user may use and nothing else."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

import seqonnx as keras

ROOMS = (
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
    "optimizers.schedules",
    "quantizers",
    "regularizers",
)
MODULES_FOR_USERS = {
    "applications": {
        *("convnext", "densenet", "efficientnet", "efficientnet_v2", "imagenet", "imagenet_utils"),
        *("inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "mobilenet_v3"),
        *("nasnet", "resnet", "resnet50", "resnet_v2", "vgg16", "vgg19", "xception"),
    },
    "datasets": {
        *("boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb"),
        *("mnist", "reuters"),
    },
    "ops": {"image", "linalg", "nn", "numpy"},
    "optimizers": {"legacy", "schedules"},
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
        "stateless_reset_state",
        "stateless_result",
        "stateless_update_state",
        "update_state",
        "variables",
    },
    "optimizers.Optimizer": {
        *("add_optimizer_variables", "add_variable", "add_variable_from_reference", "apply"),
        *("apply_gradients", "assign", "assign_add", "assign_sub", "build"),
        *("exclude_from_weight_decay", "finalize_variable_values", "from_config", "get_config"),
        *("iterations", "learning_rate", "load_own_variables", "save_own_variables", "scale_loss"),
        *("set_weights", "stateless_apply", "update_step", "variables"),
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

LAYER = {
    *("add_loss", "compute_mask", "compute_output_shape", "supports_masking"),
    *("activity_regularizer", "add_weight", "autocast", "build", "built", "call", "compute_dtype"),
    *("count_params", "dtype", "dtype_policy", "from_config", "get_config", "get_weights", "input"),
    *("losses", "non_trainable_variables", "non_trainable_weights", "output", "path"),
    *("set_weights", "trainable", "trainable_variables", "trainable_weights", "variables"),
    *("quantization_mode", "weights"),
}
MODEL = LAYER | {
    *("compile", "compiled", "evaluate", "export", "fit", "get_layer", "input_shape", "inputs"),
    *("layers", "load_weights", "loss", "metrics", "metrics_names", "optimizer", "output_names"),
    *("output_shape", "outputs", "predict", "predict_on_batch", "reset_metrics", "save"),
    *("save_weights", "summary", "test_on_batch", "train_on_batch"),
    *("compiled_loss", "compiled_metrics", "compute_loss", "compute_metrics"),
    *("build_from_config", "compile_from_config", "get_build_config", "get_compile_config"),
    *("export_training", "load_training", "to_json", "get_metrics_result", "quantize"),
    *("predict_step", "test_step", "train_step"),
}
KERAS |= {
    "layers.Layer": LAYER,
    "layers.InputSpec": {"from_config", "get_config"},
    "models.Model": MODEL,
    "models.Sequential": MODEL | {"add", "pop"},
    "graph.Variable": {
        *("assign", "assign_add", "assign_sub", "dtype", "ndim", "numpy", "shape", "value"),
        *("constraint", "regularizer"),
    },
    "symbolic.SymbolicTensor": {"ndim"},
}

FOR_WRITING_ONES_OWN = {
    "models.Model": {"to_onnx", "export_training", "load_training"},
    "models.Sequential": {"to_onnx", "export_training", "load_training"},
    "metrics.Metric": {"compute", "update"},
    "optimizers.Optimizer": {"elementwise", "prepare", "slots", "update"},
    "callbacks.Callback": {"params"},  # an attribute of objects in Keras
}
"""Names that the pages of docs give to users besides."""


@pytest.mark.parametrize("name", KERAS)
def test_public_names_of_a_base_class_are_those_of_keras(name):
    room, _, cls = name.rpartition(".")
    base = getattr(importlib.import_module(f"seqonnx.{room}"), cls)
    public = {member for member in dir(base) if not member.startswith("_")}
    assert public == KERAS[name] | FOR_WRITING_ONES_OWN.get(name, set())


ATTRIBUTES = ("history", "input_spec", "name", "stop_training")
"""Of a model, in Keras as here."""


def test_objects_show_no_plumbing_either():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="d")])
    model.compile("sgd", "mse")
    for thing, own in (
        (
            model,
            KERAS["models.Sequential"]
            | FOR_WRITING_ONES_OWN["models.Sequential"]
            | {"history", "input_spec", "name", "stop_training"},
        ),
        (model.layers[0], None),
        (model.inputs[0], {"dtype", "name", "ndim", "shape"}),
        (model.weights[0], KERAS["graph.Variable"] | {"aggregation", "name", "path", "trainable"}),
    ):
        shown = {name for name in dir(thing) if not name.startswith("_")}
        assert own is None or shown == own
        modules = [name for name in shown if isinstance(getattr(thing, name, None), ModuleType)]
        assert modules == []
