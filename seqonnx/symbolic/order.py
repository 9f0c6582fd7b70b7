"""The order in which a model lists its layers: Keras's, by depth."""

from __future__ import annotations

from collections.abc import Sequence

from seqonnx.symbolic.tensor import Emits, SymbolicTensor

PlaceOwner = Emits | SymbolicTensor
"""The owner of a place in a model: a layer, or one of the model's inputs."""


def layer_order(
    inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> list[PlaceOwner]:
    """Return the layers that compute `outputs` from `inputs`, and the inputs among them.

    The depth of a layer is the length of the longest way from it to an output. Deep layers come
    first; layers of one depth come in the order in which a walk back from the outputs meets them.
    Weights in files of Keras models lie in this order.

    Args:
        inputs: tensors where the walk stops.
        outputs: tensors to compute; every way back from them must end in `inputs`.

    Returns:
        Every layer once, and every input tensor in the place of its input layer.
    """
    entries = {id(tensor) for tensor in inputs}
    met: dict[int, PlaceOwner] = {}
    depths: dict[int, int] = {}
    owner_depths = {id(tensor): 0 for tensor in inputs}
    for tensor in reversed(_walk_back(entries, outputs, met)):
        place, owner = _place(tensor, entries), id(_owner(tensor, entries))
        depth = max(depths.get(place, 0), owner_depths.get(owner, 0))
        depths[place] = owner_depths[owner] = depth
        for below in _below(tensor, entries):
            key = _place(below, entries)
            depths[key] = max(depth + 1, depths.get(key, 0))
    unused: list[PlaceOwner] = [tensor for tensor in inputs if id(tensor) not in met]
    ordered = [*unused, *met.values()]
    return sorted(ordered, key=lambda owner: -owner_depths[id(owner)])


def _walk_back(
    entries: set[int], outputs: Sequence[SymbolicTensor], met: dict[int, PlaceOwner]
) -> list[SymbolicTensor]:
    """A tensor of every call, each after those it depends on; notes owners as it meets them."""
    finished: list[SymbolicTensor] = []
    done: set[int] = set()
    stack = [(tensor, False) for tensor in reversed(outputs)]
    while stack:
        tensor, left = stack.pop()
        place = _place(tensor, entries)
        if left:
            done.add(place)
            finished.append(tensor)
        elif place not in done:
            owner = _owner(tensor, entries)
            met.setdefault(id(owner), owner)
            stack.append((tensor, True))
            stack.extend((below, False) for below in reversed(_below(tensor, entries)))
    return finished


def _place(tensor: SymbolicTensor, entries: set[int]) -> int:
    """The identity of the place where a tensor is made: its call, or itself for an input."""
    return id(tensor) if id(tensor) in entries else id(tensor._call)


def _owner(tensor: SymbolicTensor, entries: set[int]) -> PlaceOwner:
    call = tensor._call
    return tensor if id(tensor) in entries or call is None else call.layer


def _below(tensor: SymbolicTensor, entries: set[int]) -> tuple[SymbolicTensor, ...]:
    return () if id(tensor) in entries or tensor._call is None else tensor._call.inputs
