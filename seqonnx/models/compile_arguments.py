"""Arguments of `compile` that speak of outputs, or that it takes because Keras has them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from seqonnx.layers.base import Layer
from seqonnx.models.network import Network


class Accepted(TypedDict, total=False):
    """What `compile` takes because Keras has it."""

    loss_weights: Any
    jit_compile: bool | str
    run_eagerly: bool


_ACCEPTED = set(Accepted.__annotations__)


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
            stacklevel=3,
        )


def output_names(model: Network) -> list[str]:
    """Names that arguments of `compile` may call the outputs by: theirs, and their layers'."""
    if not model.built:
        return [layer.name for layer in model.layers[-1:]]
    callers = [tensor.call.layer for tensor in model.outputs if tensor.call is not None]
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
