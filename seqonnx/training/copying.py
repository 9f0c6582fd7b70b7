"""Copies of models by `pickle`, `copy` and `joblib`: state goes along, sessions do not.

What belongs to the process (sessions, locks, arrays on a device) is left out and made anew when it
is needed. Tensors do not know their calls in a copy in the making: the model, which knows all of
them in their order, tells them at the end, so that a deep network is no deep recursion.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.layers.base import Layer
from seqonnx.runtime.forking import making
from seqonnx.symbolic import LayerCall, SymbolicTensor
from seqonnx.symbolic.tensor import Emits
from seqonnx.training.trainer import Trainer

if TYPE_CHECKING:
    from seqonnx.layers.network import Network

_CALLS = "calls inside"
_MOMENT = "moment"


class _Moment(NamedTuple):
    """Weights, slots and the counter as they were between two steps.

    Each variable gives its value away when its turn comes, and another thread may write between
    two turns; where none does, these are the very same arrays, and take no room of their own.
    """

    values: dict[Variable, npt.NDArray[Any]]
    steps: int | None


def state_of(network: Network, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a copy.

    Args:
        network: a network, which may be a model.
        state: its attributes, as a layer gives them away.
    """
    inside = {call: None for call, _ in network.calls}
    layers = dict.fromkeys(call.layer for call in inside)
    calls = [made for layer in layers for made in _calls_of(layer) if made[0] in inside]
    trainer: Trainer | None = state.get("_trainer")
    return {
        **state,
        "_forward": None,
        "_progress": state.get("_progress") if trainer is None else trainer.progress,
        "_trainer": None,
        "_training_calls": {},
        _CALLS: calls,
        _MOMENT: _moment_of(network, trainer) if network.built else None,
    }


def restore(network: Network, state: dict[str, Any]) -> None:
    """Give a copy its state."""
    calls, moment = state.pop(_CALLS), state.pop(_MOMENT)
    vars(network).update(state)
    if moment is not None:
        assign_together(moment.values.items())
        if moment.steps is not None:
            state["_compilation"].optimizer.iterations = moment.steps
    for call, outputs in calls:
        for tensor in outputs:
            tensor.call = call
        _calls_of(call.layer).append((call, outputs))


def _moment_of(network: Network, trainer: Trainer | None) -> _Moment:
    """What a network is now."""
    variables = [*network.weights, *([] if trainer is None else trainer.optimizer_variables)]
    with making(), nullcontext() if trainer is None else trainer.at_rest():
        _, arrays = read_together(variables)
        steps = None if trainer is None else trainer.step
    return _Moment(dict(zip(variables, arrays, strict=True)), steps)


def _calls_of(layer: Emits) -> list[tuple[LayerCall, list[SymbolicTensor]]]:
    """The calls of a layer, with what they gave."""
    assert isinstance(layer, Layer)
    return layer._calls
