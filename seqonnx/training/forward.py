"""Forward passes with baked weights, for `predict` and for calling a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from seqonnx import config
from seqonnx.graph import (
    Dim,
    Emitter,
    NoiseInput,
    Variable,
    assign_together,
    last_change,
    last_setting,
    read_together,
    settled_change,
    static_shape,
)
from seqonnx.graph.apart import to_session_model
from seqonnx.lowering.pipeline import EAGER, INFERENCE, Options, lower
from seqonnx.runtime import Device, Session
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.forking import renewed_in_children
from seqonnx.runtime.noise import noise_feeds, sizes_in
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.symbolic import SymbolicTensor, declare_updates, emit_baked, emit_forward
from seqonnx.training.inputs import with_ranks

_NEWEST = "newest"
"""The key of the one pass that is kept."""


@dataclass(frozen=True)
class ForwardPass:
    """A forward pass with the weights of one moment."""

    session: Session
    inputs: Sequence[SymbolicTensor]
    names: Sequence[str]
    carried: Mapping[Variable, tuple[str, str]]
    """Variables that every run replaces, with the names of their input and output."""
    data: Mapping[str, tuple[Dim, ...]]
    """Shapes of the data inputs, for the sizes of the noise."""
    noise: Mapping[str, NoiseInput]
    """The noise inputs; a model that draws in inference has some."""

    @property
    def inherited(self) -> bool:
        """Whether a parent process has opened its session."""
        return self.session.inherited

    def run(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the outputs for one array per input."""
        feeds = dict(zip(self.names, with_ranks(arrays, self.inputs), strict=True))
        if len(self.noise) > 0:
            sizes = sizes_in(self.data, feeds)
            feeds |= noise_feeds(self.noise, sizes, config.next_seed())
        if len(self.carried) == 0:
            return self.session.run(feeds)
        _, values = read_together(list(self.carried))
        feeds |= {name: v for (name, _), v in zip(self.carried.values(), values, strict=True)}
        results = self.session.run(feeds)
        count = len(results) - len(self.carried)
        assign_together(zip(self.carried, results[count:], strict=True))
        return results[:count]


class Forward:
    """Computes tensors of a model; the session is rebuilt only after weights have changed.

    Baked weights let ONNX Runtime lay them out for the machine, which inputs do not (measured
    11 to 68 % on inference). Any number of threads may compute while others change the weights:
    a `ForwardPass` does not change, and a new one is built by one thread for all that wait for it.

    Args:
        inputs: model inputs.
        outputs: tensors wanted.
        variables: weights whose change makes the session old.
        device: where to run.
        structured: arranges one array per output as the model's user wants them.

    Attributes:
        made_for: device and shapes of the inputs; with others, another pass is needed.
        setting: number of the last setting that had changed when it was made.
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
        self.made_for = (device, [tensor.shape for tensor in inputs])
        self.setting = last_setting()
        self.structured = structured
        self._passes: SessionCache[ForwardPass] = SessionCache()
        # The newest pass, and a change up to which it is known to be the newest.
        self._checked: tuple[int, ForwardPass] | None = None
        self._renew_lock()
        renewed_in_children(self, Forward._renew_lock)

    def _renew_lock(self) -> None:
        self._building = threading.RLock()

    def run(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the outputs for one array per input, for the weights as they are now."""
        return self.current().run(arrays)

    def current(self) -> ForwardPass:
        """Return the pass for the weights as they are now."""
        checked = self._checked
        if checked is not None and checked[0] == last_change():
            return checked[1]
        wanted = last_change()
        newest = self._still_newest()
        if newest is None:
            with self._building:
                newest = self._since(wanted) or self._still_newest() or self._build()
        return newest

    def _since(self, change: int) -> ForwardPass | None:
        """The pass that there is, if another thread has built it since a change."""
        checked = self._checked
        if checked is None or checked[0] < change or checked[1].inherited:
            return None
        return checked[1]

    def _still_newest(self) -> ForwardPass | None:
        """The pass that there is, if no weight has changed since it was built."""
        change = settled_change()
        changed_at = max([last_setting(), *(v._changed_at for v in self._variables)])
        newest = self._passes.find(_NEWEST, changed_at)
        if newest is not None:
            self._checked = (change, newest)
        return newest

    def _build(self) -> ForwardPass:
        change = settled_change()
        setting = last_setting()
        newest, arrays = read_together(self._variables)
        values = dict(zip(self._variables, arrays, strict=True))
        op, names = emit_baked(
            lambda op: _emit(op, self._inputs, self._outputs, training=False), values
        )
        self._variables = [v for v in self._variables if v not in op.updates]
        carried = declare_updates(op)
        lower(op, INFERENCE, Options(device=self.device.memory))
        session = Session(to_session_model(op.graph), self.device, name="forward pass")
        data = {str(x.name): static_shape(x) for x in op.graph.inputs if x.name in names}
        noise = op.draws.declared()
        built = ForwardPass(session, self._inputs, names, carried, data, noise)
        self._passes.keep(_NEWEST, max(newest, setting), built)
        self._checked = (change, built)
        return built


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
    lower(op, EAGER)
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
