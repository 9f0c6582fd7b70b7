"""Copies of models by `pickle`, `copy` and `joblib`: state goes along, sessions do not.

What belongs to the process (sessions, locks, arrays on a device) is left out and made anew when it
is needed. Tensors do not know their calls in a copy in the making: the model, which knows all of
them in their order, tells them at the end, so that a deep network is no deep recursion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqonnx.layers.base import Layer
from seqonnx.symbolic import LayerCall, SymbolicTensor
from seqonnx.symbolic.tensor import Emits

if TYPE_CHECKING:
    from seqonnx.models.network import Network

_CALLS = "calls inside"


def state_of(network: Network, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a copy.

    Args:
        network: a network, which may be a model.
        state: its attributes, as a layer gives them away.
    """
    inside = {call: None for call, _ in network.calls}
    layers = dict.fromkeys(call.layer for call in inside)
    calls = [made for layer in layers for made in _calls_of(layer) if made[0] in inside]
    trainer = state.get("_trainer")
    return {
        **state,
        "_forward": None,
        "_progress": state.get("_progress") if trainer is None else trainer.progress,
        "_trainer": None,
        "_training_calls": {},
        _CALLS: calls,
    }


def restore(network: Network, state: dict[str, Any]) -> None:
    """Give a copy its state."""
    calls = state.pop(_CALLS)
    vars(network).update(state)
    for call, outputs in calls:
        for tensor in outputs:
            tensor.call = call
        _calls_of(call.layer).append((call, outputs))


def _calls_of(layer: Emits) -> list[tuple[LayerCall, list[SymbolicTensor]]]:
    """The calls of a layer, with what they gave."""
    assert isinstance(layer, Layer)
    return layer._calls
