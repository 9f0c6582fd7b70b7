"""Sessions: everything that a model has compiled, and what it was compiled for."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy.typing as npt

from seqonnx import config
from seqonnx.callbacks.base import CallbackModel
from seqonnx.graph import Variable, last_setting
from seqonnx.layers._inside import parts_of
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.losses import Loss
from seqonnx.metrics import Metric
from seqonnx.metrics.base import Accumulator
from seqonnx.runtime import select_device
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.forking import making
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.training.compilation import Compilation, Progress, Subject
from seqonnx.training.forward import Forward, compile_training_call
from seqonnx.training.measures import named_metrics
from seqonnx.training.trainer import Trainer

_TRAINABLE_CHANGED = (
    "A layer's `trainable` state has changed since the model was compiled. The change takes "
    "effect at the next `compile()`. Please recompile the model. Changed layers: {}"
)


class Sessions:
    """The trainer and the forward passes of a network, each made on first use.

    Args:
        network: the network.
        model: what callbacks are told of: the same object, as they see it.

    Attributes:
        network: the network.
        model: the network, as callbacks see it.
        compilation: what `compile` was given, resolved; None before.
    """

    def __init__(self, network: Network, model: CallbackModel) -> None:
        self.network = network
        self.model = model
        self.compilation: Compilation | None = None
        self._device_request: config.DeviceRequest | None = None
        self._subject: Subject | None = None
        self._trainer: Trainer | None = None
        self._progress: Progress | None = None
        self._forward: Forward | None = None
        self._training_calls: SessionCache[Compiled] = SessionCache()
        self._flags_at_compile: list[tuple[Layer, bool]] = []

    def compile(self, compilation: Compilation, device: config.DeviceRequest | None) -> None:
        """Start anew with other compile arguments, on another device.

        Args:
            compilation: the arguments, resolved.
            device: where to train and predict; None for the device of the process.

        Raises:
            DeviceError: if the device cannot be had.
        """
        select_device(device)
        self._device_request = device
        self.drop()
        compilation.optimizer._restart()
        self.compilation = compilation
        self.show_slots()
        if self.network.built:
            self._capture_subject()

    def show_slots(self) -> None:
        """Let the optimizer show the slots of this network in its `variables`."""
        self.compiled().optimizer._slot_variables = partial(_slots_of, weakref.ref(self))

    def copied_to(self, network: Network, model: CallbackModel) -> Sessions:
        """Return a copy for another network of the same structure, which shares no session."""
        copy = Sessions(network, model)
        state = {**self.__getstate__(), "network": network, "model": model}
        vars(copy).update(state, _training_calls=SessionCache())
        return copy

    def compiled(self) -> Compilation:
        """Return what `compile` was given.

        Raises:
            ValueError: if it was not called.
        """
        if self.compilation is None:
            raise ValueError("You must call `compile()` before using the model.")
        return self.compilation

    def loss(self) -> Loss:
        """Return the loss.

        Raises:
            ValueError: if `compile` was not called, or was given none.
        """
        return self.compiled().required_loss()

    def metrics(self) -> list[Accumulator]:
        """Return the metrics; those that data must choose (`"accuracy"`) once it has."""
        if self.compilation is None:
            return []
        if self._trainer is not None and len(self._trainer.metrics) > 0:
            return self._trainer.metrics
        given = (*self.compilation.metrics, *self.compilation.weighted_metrics)
        return [metric for metric in given if isinstance(metric, Metric)]

    def metrics_names(self) -> list[str]:
        """Return the names that `evaluate` gives values for, in their order."""
        compilation = self.compiled()
        named = named_metrics(compilation.metrics, compilation.weighted_metrics)
        inside = metrics_inside(self.network) if self.network.built else []
        return ["loss", *(name for name, _, _ in named), *(metric.name for metric in inside)]

    def trainer(self) -> Trainer:
        """Return the trainer, for the layers that trained at `compile`.

        Raises:
            ValueError: if `compile` was not called.
        """
        compilation = self.compiled()
        with making():
            if self._trainer is None:
                subject = self._subject or self._capture_subject()
                device = select_device(self._device_request)
                self._trainer = Trainer(subject, compilation, device, self._progress)
            return self._trainer

    def forward(self) -> Forward:
        """Return the forward pass with baked weights, on the device, for shapes as they are now."""
        network, device = self.network, select_device(self._device_request)
        made_for = (device, [tensor.shape for tensor in network.inputs])
        forward = self._forward
        if forward is None or forward.made_for != made_for:
            outputs, weights = network.outputs, network.weights
            forward = Forward(network.inputs, outputs, weights, device, network._arrange)
            self._forward = forward
        return forward

    def run(
        self, arrays: Sequence[npt.NDArray[Any]], training: bool | None
    ) -> list[npt.NDArray[Any]]:
        """Return the outputs for one array per input.

        Args:
            arrays: the inputs, checked and cast.
            training: whether dropout drops and moving statistics move.
        """
        if not training:
            return self.forward().run(arrays)
        network = self.network
        shapes = tuple(tensor.shape for tensor in network.inputs)
        key = (shapes, tuple(layer.trainable for layer in network._leaf_layers()))
        compiled = self._training_calls.get(
            key,
            last_setting(),
            lambda: compile_training_call(
                network.inputs, network.outputs, select_device(self._device_request)
            ),
        )
        return compiled.run(arrays, seed=config.next_seed())

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of the optimizer; empty until the model trains."""
        begun = self._trainer or self._progress
        return [] if begun is None else self.trainer().optimizer_variables

    def warn_if_trainable_changed(self) -> None:
        """Warn if a `trainable` flag is not what it was at `compile`."""
        changed = [x.name for x, flag in self._flags_at_compile if x.trainable != flag]
        if len(changed) > 0:
            warnings.warn(_TRAINABLE_CHANGED.format(changed), stacklevel=4)

    def drop(self) -> None:
        """Forget what was made for the graph, the device or the optimizer of before."""
        trainer, self._trainer, self._progress = self._trainer, None, None
        if trainer is not None:
            trainer.release()
        self._subject = None
        self._forward = None
        self._training_calls.clear()
        self._flags_at_compile = []

    def begun_trainer(self) -> Trainer | None:
        """Return the trainer, if there is one already."""
        return self._trainer

    def _capture_subject(self) -> Subject:
        """Note what trains: a later change of `trainable` takes effect at the next `compile`."""
        network = self.network
        self._flags_at_compile = [(x, x.trainable) for x in (network, *network._leaf_layers())]
        self._subject = subject_of(network)
        return self._subject

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: everything needed to go on, and no session."""
        trainer = self._trainer
        return {
            **vars(self),
            "_trainer": None,
            "_progress": self._progress if trainer is None else trainer.progress,
            "_forward": None,
        }


def _slots_of(sessions: weakref.ref[Sessions]) -> Sequence[Variable]:
    """Slots of the network that an optimizer trains; none once it is gone."""
    alive = sessions()
    return () if alive is None else alive.optimizer_variables


def subject_of(network: Network) -> Subject:
    """Return a network as the trainer sees it; only trained weights are regularized."""
    trainable = network.trainable_weights
    trained = set(trainable)
    return Subject(
        inputs=network.inputs,
        outputs=network.outputs,
        weights=network.weights,
        trainable=trainable,
        frozen=network._frozen_weights,
        regularized=[pair for pair in network._regularized_weights if pair[0] in trained],
        constrained=network._constrained_weights,
        metrics=metrics_inside(network),
    )


def metrics_inside(network: Network) -> list[Accumulator]:
    """Return the metrics that layers of a network keep in attributes, each once."""
    found: dict[int, Accumulator] = {}
    stack: list[Any] = list(reversed(network._leaf_layers()))
    while stack:
        layer = stack.pop()
        found |= {id(metric): metric for metric in parts_of(vars(layer), Accumulator)}
        stack.extend(reversed(layer._inner_layers))
    return list(found.values())
