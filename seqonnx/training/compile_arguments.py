"""Arguments of `compile`: names become objects, and what cannot be is refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from seqonnx import losses, optimizers
from seqonnx import metrics as metrics_room
from seqonnx.layers.network import Network
from seqonnx.optimizers import LossScaleOptimizer, Optimizer
from seqonnx.training.columns import whole_number
from seqonnx.training.compilation import Compilation
from seqonnx.training.heads import BY_SHAPE


class Accepted(TypedDict, total=False):
    """Arguments that `compile` takes because Keras has them."""

    loss_weights: Any
    jit_compile: bool | str
    run_eagerly: bool


_ACCEPTED = set(Accepted.__annotations__)


def resolve(
    network: Network,
    optimizer: Any,
    loss: Any,
    metrics: Any,
    weighted_metrics: Any,
    steps_per_execution: Any,
    autotune: bool,
    auto_scale_loss: bool,
    recompute: Any,
    accepted: Mapping[str, Any],
) -> Compilation:
    """Return the arguments of `Model.compile`, resolved for a network.

    Raises:
        TypeError: for arguments that `compile` does not know.
        ValueError: if something cannot be interpreted.
    """
    check_accepted(accepted)
    chosen = optimizers.get("sgd" if optimizer is None else optimizer)
    weights = accepted.get("loss_weights")
    return Compilation(
        _scaled_for(network, chosen) if auto_scale_loss else chosen,
        _resolve_losses(loss),
        _resolve_metrics(metrics, "metrics"),
        _resolve_metrics(weighted_metrics, "weighted_metrics"),
        whole_number(steps_per_execution, "steps_per_execution", least=1),
        autotune,
        _check_recompute(network, recompute),
        weights.tolist() if isinstance(weights, np.ndarray) else weights,
        trains=optimizer is not None,
        given={
            "loss": loss,
            "loss_weights": weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": bool(accepted.get("run_eagerly", False)),
            "jit_compile": accepted.get("jit_compile", "auto"),
        },
    )


def check_accepted(accepted: Mapping[str, Any]) -> None:
    """Warn of a wish that `compile` cannot fulfil; `jit_compile` asks for what happens anyway.

    Raises:
        TypeError: for arguments that `compile` does not know.
    """
    unknown = sorted(set(accepted) - _ACCEPTED)
    if len(unknown) > 0:
        raise TypeError(
            f"compile() got unexpected arguments {unknown}. Besides its own it accepts "
            f"{sorted(_ACCEPTED)}."
        )
    if accepted.get("run_eagerly"):
        warnings.warn(
            "`run_eagerly=True` has no effect: a model runs as one ONNX graph. To look at values "
            "inside it, call a layer or `Model(model.inputs, layer.output)` on an array.",
            stacklevel=4,
        )


def _resolve_losses(given: Any) -> Any:
    """A loss, or a list or dict with one for each output, with names replaced by losses."""
    if isinstance(given, Mapping) and "class_name" not in given:
        return {name: _resolve_losses(each) for name, each in given.items()}
    if isinstance(given, list | tuple):
        return tuple(_resolve_losses(each) for each in given)
    if isinstance(given, str) and given.lower() in BY_SHAPE:
        return given
    return losses.get(given)


def _resolve_metrics(given: Any, argument: str) -> Any:
    """Metrics in the structure they were given in, with names replaced by metrics.

    Args:
        given: list or tuple of what `metrics.get` takes, or of such lists, a dict by the names of
            outputs, or None.
        argument: name of the argument, for errors.

    Raises:
        ValueError: if it is something else, or a metric is not known.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping) and "class_name" not in given:
        return {name: _each_metric(entry) for name, entry in given.items()}
    if not isinstance(given, list | tuple):
        raise ValueError(
            f"Expected `{argument}` argument to be a list, tuple, or dict. "
            f"Received instead: {argument}={given} of type {type(given)}"
        )
    return tuple(_each_metric(entry) for entry in given)


def _each_metric(entry: Any) -> Any:
    """One metric, or the metrics of one output."""
    if isinstance(entry, list | tuple):
        return tuple(_each_metric(each) for each in entry)
    if entry is None or (isinstance(entry, str) and entry.lower() in {"accuracy", "acc"}):
        return entry
    metric = metrics_room.get(entry)
    assert metric is not None
    return metric


def _scaled_for(model: Network, optimizer: Optimizer) -> Optimizer:
    """Return the optimizer, with a loss scale where a layer's dtype is `"mixed_float16"`."""
    mixed = any(layer.dtype_policy == "mixed_float16" for layer in model._leaf_layers())
    scaled = optimizer._scaling is not None
    return LossScaleOptimizer(optimizer) if mixed and not scaled else optimizer


def _check_recompute(model: Network, recompute: Any) -> bool | tuple[str, ...]:
    """Return the argument `recompute` of `compile`.

    Raises:
        ValueError: if it is neither a bool nor names of layers of the model.
    """
    if isinstance(recompute, bool | np.bool_):
        return bool(recompute)
    if isinstance(recompute, str) or not isinstance(recompute, Sequence) or len(recompute) == 0:
        raise ValueError(
            "`recompute` must be True, False or a list of names of layers whose outputs are kept. "
            f"Received: recompute={recompute!r}"
        )
    known = list(dict.fromkeys(x.name for x in (*model.layers, *model._leaf_layers())))
    unknown = [name for name in recompute if name not in known]
    if len(unknown) > 0:
        raise ValueError(
            f"`recompute` names layers that the model does not have: {unknown}. Its layers: {known}"
        )
    return tuple(recompute)
