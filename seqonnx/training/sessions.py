"""Sessions: everything that a model has compiled, and what it was compiled for."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from seqonnx import config
from seqonnx.callbacks.base import CallbackModel
from seqonnx.graph import Variable, last_setting
from seqonnx.layers._inside import parts_of
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.metrics import Metric
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.slots import SlotVariables
from seqonnx.runtime import select_device
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.forking import making
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.structures import parts
from seqonnx.training.compilation import Compilation, Progress, Subject
from seqonnx.training.compiled_function import CompiledFunction
from seqonnx.training.forward import Forward, compile_training_call
from seqonnx.training.heads import Head, MetricSpec, Outputs, check_names
from seqonnx.training.measures import logged_names
from seqonnx.training.own_trainer import OwnTrainer
from seqonnx.training.trackers import Trackers
from seqonnx.training.trainer import Trainer

_TRAINABLE_CHANGED = (
    "A layer's `trainable` state has changed since the model was compiled. The change takes "
    "effect at the next `compile()`. Please recompile the model. Changed layers: {}"
)


_WEIGHTS_CHANGED = (
    "The model has weights that it did not have when it was compiled, so they would not train. "
    "Call `compile()` again. New weights: {}"
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
        self._trackers: Trackers | None = None
        self._device_request: config.DeviceRequest | None = None
        self._subject: Subject | None = None
        self._trainer: Trainer | None = None
        self._progress: Progress | None = None
        self._forward: Forward | None = None
        self._training_calls: SessionCache[Compiled] = SessionCache()
        self._own_prediction: CompiledFunction | None = None
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
        _check_outputs(self.network, compilation)
        compilation.optimizer._restart()
        self.compilation, self._trackers = compilation, None
        self.show_slots()
        if self.network.built:
            self._capture_subject()

    def show_slots(self) -> None:
        """Let the optimizer show the slots of this network in its `variables`."""
        for optimizer in self.compiled().optimizer._inside():
            optimizer._slot_variables = _SlotsOfModel(weakref.ref(self))

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

    def heads(self) -> list[Head]:
        """Return the outputs with their losses and metrics; the model is built.

        Raises:
            ValueError: if `compile` was not called, or its arguments do not fit the outputs.
        """
        return self.compiled().heads(outputs_of(self.network))

    def optimizer(self) -> Optimizer | None:
        """Return the optimizer; None if `compile` was given none.

        Raises:
            ValueError: if `compile` was not called.
        """
        compilation = self.compiled()
        return compilation.optimizer if compilation.trains else None

    @property
    def own_steps(self) -> frozenset[str]:
        """Which steps of training, testing and predicting the user has written."""
        steps: frozenset[str] = getattr(self.model, "_own_steps", frozenset)()
        return steps

    @property
    def predicts_in_own_steps(self) -> bool:
        """Whether the user has written the step of predicting: asked at every `predict`."""
        return bool(getattr(self.model, "_predicts_in_own_steps", bool)())

    @property
    def trackers(self) -> Trackers:
        """Loss and metrics, for steps that the user has written."""
        if self._trackers is None:
            self._trackers = Trackers(self.heads)
        return self._trackers

    def metrics(self) -> list[Accumulator]:
        """Return the metrics; those that data must choose (`"accuracy"`) once it has."""
        if self.own_steps & {"train", "test"}:
            own = parts_of(vars(self.network), Accumulator)
            has_metrics = self.compilation is not None and self.compilation.has_metrics
            return [*self.trackers.metrics(has_metrics), *own, *metrics_inside(self.network)]
        if self.compilation is None:
            return []
        if self._trainer is not None and len(self._trainer.metrics) > 0:
            return self._trainer.metrics
        given = (self.compilation.metrics, self.compilation.weighted_metrics)
        return parts(given, Metric)

    def metrics_names(self) -> list[str]:
        """Return the names that `evaluate` gives values for, in their order."""
        if not self.network.built:
            given = parts((self.compiled().metrics, self.compiled().weighted_metrics), MetricSpec)
            return ["loss", *(spec if isinstance(spec, str) else spec.name for spec in given)]
        inside = metrics_inside(self.network)
        return [*logged_names(self.heads()), *(metric.name for metric in inside)]

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
                given = (subject, compilation, device, self._progress)
                own = self.own_steps & {"train", "test"}
                model: Any = self.model
                self._trainer = OwnTrainer(model, *given) if own else Trainer(*given)
            return self._trainer

    def own_prediction(self) -> CompiledFunction:
        """Return the `predict_step` that the user has written, compiled."""
        if self._own_prediction is None:
            model: Any = self.model
            self._own_prediction = CompiledFunction(model.predict_step)
        return self._own_prediction

    def forward(self) -> Forward:
        """Return the forward pass with baked weights, on the device, for shapes as they are now."""
        network, device = self.network, select_device(self._device_request)
        made_for = (device, [tensor.shape for tensor in network._known_inputs("inputs")])
        forward = self._forward
        old = forward is None or forward.setting != last_setting()  # it may have other weights now
        if forward is None or old or forward.made_for != made_for:
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
        if self._subject is not None and self.network.built:
            new = set(self.network.weights) - set(self._subject.weights)
            if len(new) > 0 and len(self._subject.weights) > 0:
                raise ValueError(_WEIGHTS_CHANGED.format(sorted(v.path for v in new)))

    def drop(self) -> None:
        """Forget what was made for the graph, the device or the optimizer of before."""
        trainer, self._trainer, self._progress = self._trainer, None, None
        if trainer is not None:
            trainer.release()
        self._subject = None
        self._forward = None
        self._training_calls.clear()
        self._own_prediction = None
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
            "_own_prediction": None,
            "_trackers": None,
        }


class _SlotsOfModel:
    """Slots of the network that an optimizer trains; none once it is gone."""

    def __init__(self, sessions: weakref.ref[Sessions]) -> None:
        self._sessions = sessions

    def __call__(self) -> Sequence[Variable]:
        """Return the slots of all weights; none before training."""
        alive = self._sessions()
        if alive is None or not alive.optimizer_variables:
            return ()
        slots = alive.trainer().slots
        return [slot for weight in slots for slot in slots[weight].values()]

    def of(self, weights: Sequence[Variable]) -> SlotVariables | None:
        """Return the slots of these weights, made now if need be; None if they are not its."""
        alive = self._sessions()
        if alive is None or alive.compilation is None or not alive.network.built:
            return None
        trained = set((alive._subject or alive._capture_subject()).trainable)
        return alive.trainer().slots if trained.issuperset(weights) else None


def subject_of(network: Network) -> Subject:
    """Return a network as the trainer sees it; only trained weights are regularized."""
    if not network.built:  # steps of the user's find out what there is
        return Subject([], Outputs((), (), None), [], [], [], [], [])
    trainable = network.trainable_weights
    trained = set(trainable)
    return Subject(
        inputs=network.inputs,
        outputs=outputs_of(network),
        weights=network.weights,
        trainable=trainable,
        frozen=network._frozen_weights,
        regularized=[pair for pair in network._regularized_weights if pair[0] in trained],
        constrained=network._constrained_weights,
        metrics=metrics_inside(network),
    )


def _check_outputs(network: Network, compilation: Compilation) -> None:
    """Raise a ValueError if arguments of `compile` do not fit the outputs, as far as known."""
    if network.built:
        compilation.heads(outputs_of(network))
    elif len(network.layers) > 0 and not network._is_subclassed():
        for argument in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            given = getattr(compilation, argument)
            if isinstance(given, Mapping):
                check_names(given, [[network.layers[-1].name]], argument)


def outputs_of(network: Network) -> Outputs:
    """Return the outputs of a network that is built, with the names that they go by."""
    names: list[tuple[str, ...]] = []
    for name, tensor in zip(network.output_names, network.outputs, strict=True):
        layer = None if tensor._call is None else tensor._call.layer
        own = [name, tensor.name, *([layer.name] if isinstance(layer, Layer) else [])]
        names.append(tuple(dict.fromkeys(own)))
    made = network._output_structure
    keys = tuple(str(key) for key in made) if isinstance(made, Mapping) else None
    return Outputs(tuple(network.outputs), tuple(names), keys)


def metrics_inside(network: Network) -> list[Accumulator]:
    """Return the metrics that layers of a network keep in attributes, each once."""
    found: dict[int, Accumulator] = {}
    stack: list[Any] = list(reversed(network._leaf_layers()))
    while stack:
        layer = stack.pop()
        found |= {id(metric): metric for metric in parts_of(vars(layer), Accumulator)}
        stack.extend(reversed(layer._inner_layers))
    return list(found.values())
