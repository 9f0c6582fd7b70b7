"""Copies of models by `pickle`, `copy` and `joblib`: state goes along, sessions do not.

What belongs to the process (sessions, locks, arrays on a device) is left out and made anew when it
is needed. Tensors do not know their calls in a copy in the making: the model, which knows all of
them in their order, tells them at the end, so that a deep network is no deep recursion.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy.typing as npt

from seqonnx.callbacks.base import CallbackModel
from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.runtime.forking import making
from seqonnx.symbolic import LayerCall, SymbolicTensor, calls_between
from seqonnx.symbolic.tensor import Emits
from seqonnx.training.sessions import Sessions
from seqonnx.training.trainer import Trainer

_CALLS = "calls inside"
_TRAINED = "outputs in training"
_MOMENT = "moment"


class _NetworkMoment(NamedTuple):
    """Weights, slots and the counter as they were between two steps.

    Each variable gives its value away when its turn comes, and another thread may write between
    two turns; where none does, these are the very same arrays, and take no room of their own.
    """

    values: dict[Variable, npt.NDArray[Any]]
    steps: int | None


def state_of(network: Network, sessions: Sessions, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a copy.

    Args:
        network: the model.
        sessions: what it has compiled.
        state: its attributes, as a layer gives them away.
    """
    trained = [(t, t._in_training) for t in network._outputs if t._in_training is not None]
    inside = {call: None for call, _ in network._calls_inside}
    if len(trained) > 0:
        other = calls_between(network.inputs, [tensor for _, tensor in trained])
        inside |= {call: None for call, _ in other}
    layers = dict.fromkeys(call.layer for call in inside)
    calls = [made for layer in layers for made in _calls_of(layer) if made[0] in inside]
    moment = _moment_of(network, sessions.begun_trainer()) if network.built else None
    return {**state, _CALLS: calls, _TRAINED: trained, _MOMENT: moment}


def restore(network: Network, model: CallbackModel, state: dict[str, Any]) -> None:
    """Give a copy its state.

    Args:
        network: the copy.
        model: the same, as callbacks see it.
        state: from `state_of`.
    """
    calls, moment = state.pop(_CALLS), state.pop(_MOMENT)
    trained = state.pop(_TRAINED, ())
    sessions: Sessions = state["_sessions"]
    if sessions.network is not network:  # a shallow copy
        sessions = state["_sessions"] = sessions.copied_to(network, model)
    vars(network).update(state)
    if sessions.compilation is not None:
        sessions.show_slots()
    if moment is not None:
        assign_together(moment.values.items())
        if moment.steps is not None:
            sessions.compiled().optimizer._steps_taken = moment.steps
    for tensor, own in trained:
        tensor._in_training = own
    for call, outputs in calls:
        for tensor in outputs:
            tensor._call = call
        known = _calls_of(call.layer)
        if not any(made is call for made, _ in known):
            known.append((call, outputs))


def _moment_of(network: Network, trainer: Trainer | None) -> _NetworkMoment:
    """The values and the step of a network now."""
    variables = [*network.weights, *([] if trainer is None else trainer.optimizer_variables)]
    with making(), nullcontext() if trainer is None else trainer.at_rest():
        _, arrays = read_together(variables)
        steps = None if trainer is None else trainer.step
    return _NetworkMoment(dict(zip(variables, arrays, strict=True)), steps)


def _calls_of(layer: Emits) -> list[tuple[LayerCall, list[SymbolicTensor]]]:
    """The calls of a layer, with their outputs."""
    assert isinstance(layer, Layer)
    return layer._calls
