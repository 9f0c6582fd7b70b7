"""Arguments of `compile`: names become objects, and what cannot be is refused."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from seqonnx import losses, optimizers
from seqonnx import metrics as metrics_room
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.optimizers import LossScaleOptimizer, Optimizer
from seqonnx.training.columns import whole_number
from seqonnx.training.compilation import Compilation
from seqonnx.training.measures import MetricSpec


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
    chosen, names = optimizers.get(optimizer), output_names(network)
    return Compilation(
        _scaled_for(network, chosen) if auto_scale_loss else chosen,
        losses.get(loss),
        resolve_metrics(metrics, "metrics", names),
        resolve_metrics(weighted_metrics, "weighted_metrics", names),
        whole_number(steps_per_execution, "steps_per_execution", least=1),
        autotune,
        _check_recompute(network, recompute),
        resolve_loss_weight(accepted.get("loss_weights"), names),
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


def output_names(model: Network) -> list[str]:
    """Names that arguments of `compile` may call the outputs by: theirs, and their layers'."""
    if not model.built:
        return [layer.name for layer in model.layers[-1:]]
    callers = [tensor._call.layer for tensor in model.outputs if tensor._call is not None]
    layers = [layer.name for layer in callers if isinstance(layer, Layer)]
    return list(dict.fromkeys([*model.output_names, *layers]))


def resolve_loss_weight(given: Any, names: Sequence[str]) -> float:
    """Return what the loss of the one output is multiplied by.

    Args:
        given: `loss_weights` of `compile`: a number, a list of just one, a dict with one by the
            name of the output, or None.
        names: names of the output; none where they are not known.

    Raises:
        ValueError: if it is something else.
    """
    values = [1.0 if given is None else given]
    if isinstance(given, Mapping):
        check_names(given, names, "loss_weights")
        values = list(given.values())
    elif isinstance(given, list | tuple):
        values = list(given)
    if len(values) != 1:
        raise ValueError(
            f"`loss_weights` must match the number of losses, got 1 losses and {len(values)} "
            f"weights. Received: loss_weights={given!r}"
        )
    (weight,) = values
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
        raise ValueError(
            "`loss_weights` must be a number, a list of one or a dict with one by the name of the "
            f"output. Received: loss_weights={given!r} of type {type(given)}"
        )
    if not math.isfinite(weight):
        raise ValueError(f"`loss_weights` must be finite. Received: loss_weights={given!r}")
    return float(weight)


def check_names(given: Mapping[str, Any], names: Sequence[str], argument: str) -> None:
    """Raise a ValueError if a key of an argument of `compile` is not the name of an output."""
    unknown = [name for name in given if name not in names]
    if len(unknown) > 0 and len(names) > 0:
        raise ValueError(
            f"In the dict argument `{argument}`, {unknown} do not correspond to any model output. "
            f"Names of the output: {list(names)}. Received: {argument}={given}"
        )


def resolve_metrics(given: Any, argument: str, names: Sequence[str]) -> tuple[MetricSpec, ...]:
    """Return metrics as the trainer takes them.

    Args:
        given: list or tuple of what `metrics.get` takes, a dict with one such list for the one
            output, or None.
        argument: name of the argument, for errors.
        names: names of the output.

    Raises:
        ValueError: if it is something else, or an output or a metric is not known.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        check_names(given, names, argument)
        given = [spec for value in given.values() for spec in _listed(value)]
    if not isinstance(given, list | tuple):
        raise ValueError(
            f"Expected `{argument}` argument to be a list, tuple, or dict. "
            f"Received instead: {argument}={given} of type {type(given)}"
        )
    specs = [spec for entry in given for spec in _listed(entry)]
    return tuple(_resolve_metric(spec) for spec in specs if spec is not None)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _resolve_metric(spec: Any) -> MetricSpec:
    if isinstance(spec, str) and spec.lower() in {"accuracy", "acc"}:
        return spec
    metric = metrics_room.get(spec)
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
