"""Forward passes with baked weights, for `predict` and for calling a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from seqonnx.graph import Emitter, Variable, last_change, last_setting
from seqonnx.graph.serde import to_bytes
from seqonnx.passes.batch_statistics import expand_batch_statistics
from seqonnx.passes.relabel import relabel
from seqonnx.runtime import Device, Session
from seqonnx.runtime.compiled import Compiled
from seqonnx.symbolic import SymbolicTensor, emit_forward
from seqonnx.training.inputs import with_ranks


class Forward:
    """Computes tensors of a model; the session is rebuilt only after weights have changed.

    Baked weights let ONNX Runtime lay them out for the machine, which inputs do not (measured
    11 to 68 % on inference).

    Args:
        inputs: model inputs.
        outputs: tensors wanted.
        variables: weights whose change makes the session old.
        device: where to run.
        structured: arranges one array per output as the model's user wants them.
    """

    def __init__(
        self,
        inputs: Sequence[SymbolicTensor],
        outputs: Sequence[SymbolicTensor],
        variables: Sequence[Variable],
        device: Device,
        structured: Callable[[Sequence[Any]], Any],
    ) -> None:
        self._inputs = list(inputs)
        self._outputs = list(outputs)
        self._variables = list(variables)
        self.device = device
        self.structured = structured
        self._session: Session | None = None
        self._built_at = -1
        self._checked_at = -1
        self._names: list[str] = []

    def run(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the outputs for one array per input."""
        session = self._current()
        return session.run(dict(zip(self._names, with_ranks(arrays, self._inputs), strict=True)))

    def _current(self) -> Session:
        """The session for the weights as they are now."""
        change = last_change()
        if self._session is not None and change == self._checked_at:
            return self._session
        newest = max([last_setting(), *(variable.changed_at for variable in self._variables)])
        if self._session is None or newest > self._built_at:
            op = Emitter()
            self._names = _emit(op, self._inputs, self._outputs, training=False)
            if self.device.memory == "cuda":
                relabel(op.graph)
            self._session = Session(to_bytes(op.graph), self.device, name="forward pass")
            self._built_at = newest
        self._checked_at = change
        return self._session


def compile_training_call(
    inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor], device: Device
) -> Compiled:
    """Return a model's forward pass in training mode, for calls on arrays.

    Args:
        inputs: model inputs.
        outputs: tensors wanted.
        device: where to run.

    Returns:
        The compiled pass; every run updates moving statistics.
    """
    op = Emitter(weights_as="input")
    _emit(op, inputs, outputs, training=True)
    expand_batch_statistics(op.graph)
    return Compiled(op, device)


def _emit(
    op: Emitter,
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    *,
    training: bool,
) -> list[str]:
    """Emit the pass and declare its outputs; returns the names of the inputs."""
    values, results = emit_forward(op, inputs, outputs, training=training)
    for tensor, value in zip(outputs, results, strict=True):
        op.output(value, tensor.name)
    return [str(value.name) for value in values]
