"""Losses that the `call` of a model adds while it is traced into the layer graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from seqonnx.symbolic import SymbolicTensor

_ADDED: ContextVar[list[SymbolicTensor] | None] = ContextVar("_ADDED", default=None)


@contextmanager
def collecting() -> Iterator[list[SymbolicTensor]]:
    """Collect the losses that are added inside."""
    losses: list[SymbolicTensor] = []
    token = _ADDED.set(losses)
    try:
        yield losses
    finally:
        _ADDED.reset(token)


def note(losses: Sequence[Any]) -> bool:
    """Note losses of a model that is being traced; returns whether it could be done."""
    added = _ADDED.get()
    if added is None or not all(isinstance(loss, SymbolicTensor) for loss in losses):
        return False
    added.extend(losses)
    return True
