"""Model: the face of seqonnx. Delegates; owns no algorithm."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from seqonnx import config, losses, optimizers
from seqonnx.callbacks import Callback, History
from seqonnx.graph import Variable, auto_name, last_setting
from seqonnx.layers.base import Layer
from seqonnx.models import compile_arguments, feeding, files, running
from seqonnx.models.architecture import saved_as
from seqonnx.models.exportable import Exportable, PathLike
from seqonnx.models.structure import holds_symbolic
from seqonnx.optimizers import Optimizer
from seqonnx.runtime import select_device
from seqonnx.runtime.compiled import Compiled
from seqonnx.runtime.forking import making
from seqonnx.training.forward import Forward, compile_training_call
from seqonnx.training.measures import named_metrics
from seqonnx.training.trainer import Compilation, Progress, Subject, Trainer


@saved_as("Functional")
class Model(Exportable):
    """Layers between input and output tensors, with training, files and reports.

    Args:
        inputs: input tensor, or a list or dict of them.
        outputs: output tensor, or a list or dict of them; calling the model gives arrays in the
            same structure.
        name: name of the model; default `functional`, numbered.
        trainable: whether training changes its weights.

    Example:
        >>> x = Input((4,))
        >>> features = Model(x, Dense(2)(x))
        >>> features(np.ones((3, 4))).shape
        (3, 2)
    """

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        if name is None and type(self) is Model:
            name = auto_name("Functional")
        self.stop_training = False
        self.history: History | None = None
        self._compilation: Compilation | None = None
        self._device_request: config.DeviceRequest | None = None
        self._subject: Subject | None = None
        self._trainer: Trainer | None = None
        self._progress: Progress | None = None
        self._forward: Forward | None = None
        self._training_calls: dict[tuple[Hashable, ...], Compiled] = {}
        self._flags_at_compile: list[tuple[Layer, bool]] = []
        super().__init__(inputs, outputs, name=name, trainable=trainable)

    # Using the model.

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Apply the model to symbolic tensors, or compute it on data.

        Args:
            x: symbolic tensor, or array with the batch first; for several inputs a list of them,
                or a dict by the names of the inputs.
            training: see `Layer`.

        Returns:
            Symbolic tensors or arrays: one, a list or a dict, as the outputs were given.
        """
        if holds_symbolic(x):
            return super().__call__(x, training)
        arrays = feeding.input_arrays(self, x)
        return self.arrange(self._run_training(arrays) if training else self.forward().run(arrays))

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Compute the outputs for data, batch by batch.

        Args:
            x: array with the batch first, or an iterator of batches.
            batch_size: samples per batch; default 32.
            verbose: 0 silent, 1 bar, 2 line; `"auto"` shows a bar on a terminal.
            steps: batches to take from an iterator.
            callbacks: told about every batch.

        Returns:
            Array, list or dict of arrays with one row per sample.
        """
        return running.predict(self, x, batch_size, verbose, steps, callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        return self(x)

    # Training.

    def compile(
        self,
        optimizer: str | Optimizer | Mapping[str, Any] = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        weighted_metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        device: config.DeviceRequest | None = None,
        steps_per_execution: int = 1,
        autotune: bool = False,
        auto_scale_loss: bool = True,
        recompute: bool | Sequence[str] = False,
        **accepted: Any,
    ) -> None:
        """Say how to train. A second call starts with a fresh optimizer.

        Args:
            optimizer: name, instance or configuration.
            loss: name, instance, or a function `(op, y_true, y_pred)` emitting values per sample.
            metrics: names, instances or such functions.
            weighted_metrics: the same, weighted by sample weights.
            device: where to train and predict; default `seqonnx.config.get_device()`.
            steps_per_execution: steps in one run, for short ones; callbacks hear of the last.
            autotune: measure which form of each gradient is the fastest, and remember it.
            auto_scale_loss: wrap the optimizer in a `LossScaleOptimizer` for `"mixed_float16"`.
            recompute: less memory for a second forward pass: True, or layers whose outputs to keep.
            **accepted: `loss_weights`, a factor of the loss; `jit_compile`; `run_eagerly` warns.

        Raises:
            ValueError: if something cannot be interpreted.
            DeviceError: if the device cannot be had.
        """
        compile_arguments.check_accepted(accepted)
        chosen, names = optimizers.get(optimizer), compile_arguments.output_names(self)
        compilation = Compilation(
            running.scaled_for(self, chosen) if auto_scale_loss else chosen,
            losses.get(loss),
            running.resolve_metrics(metrics, "metrics", names),
            running.resolve_metrics(weighted_metrics, "weighted_metrics", names),
            running.check_steps(steps_per_execution),
            autotune,
            running.check_recompute(self, recompute),
            compile_arguments.resolve_loss_weight(accepted.get("loss_weights"), names),
        )
        select_device(device)
        self._device_request = device
        self._drop_passes()
        compilation.optimizer._restart()
        self._compilation = compilation
        if self.built:
            self._capture_subject()

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compilation is not None

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; its `learning_rate` may be set between steps."""
        return self._require_compilation().optimizer

    @property
    def loss(self) -> Any:
        """The loss, or None."""
        return None if self._compilation is None else self._compilation.loss

    @property
    def metrics_names(self) -> list[str]:
        """Names that `evaluate` gives values for, in their order."""
        compilation = self._require_compilation()
        named = named_metrics(compilation.metrics, compilation.weighted_metrics)
        return ["loss", *(name for name, _, _ in named)]

    def reset_metrics(self) -> None:
        """Do nothing: every `fit`, `evaluate` and `..._on_batch` starts its metrics anew."""

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str | bool = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train on data.

        Args:
            x: array with the batch first, or an iterator of `(x, y)` or `(x, y, sample_weight)`.
            y: targets; labels as integers, or arrays shaped like the output.
            batch_size: samples per step, default 32; a smaller last batch is trained on, too.
            epochs: epoch to stop before, counted from 0.
            verbose: 0 silent, 1 bar, 2 a line per epoch; `"auto"`: bar on a terminal.
            callbacks: told about every batch and epoch.
            validation_split: fraction of the samples, taken from the end, to measure on.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, or an iterator, to measure on.
            shuffle: whether each epoch sees the samples in a new order.
            class_weight: weight of each class index; missing classes weigh 1.
            sample_weight: weight of each sample.
            initial_epoch: number of the first epoch.
            steps_per_epoch: batches per epoch; of an iterator no more than it needs are drawn.
            validation_steps: batches to measure on, for iterators.
            validation_batch_size: samples per batch when measuring; default `batch_size`.
            validation_freq: every how many epochs to measure, or a list of epochs from 1.

        Returns:
            The history of loss and metrics.

        Raises:
            ValueError: if the model is not compiled or the data does not fit.
        """
        request = running.FitRequest(
            x=x,
            y=y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )
        return running.fit(self, request)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str | bool = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """Measure loss and metrics on data.

        Args:
            x: array with the batch first, or an iterator.
            y: targets.
            batch_size: samples per batch; default 32.
            verbose: 0 silent, 1 bar, 2 line.
            sample_weight: weight of each sample.
            steps: batches to take from an iterator.
            callbacks: told about every batch.
            return_dict: give a dict by name.

        Returns:
            The loss alone, or loss and metrics as a list or dict; several values as an array.
        """
        logs = running.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)
        return running.shaped_logs(logs, return_dict)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """Run one training step on one batch; returns its loss and metrics."""
        logs = running.train_on_batch(self, x, y, sample_weight, class_weight)
        return running.shaped_logs(logs, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> float | list[Any] | dict[str, Any]:
        """Measure loss and metrics on one batch."""
        logs = running.test_on_batch(self, x, y, sample_weight)
        return running.shaped_logs(logs, return_dict)

    def save(self, filepath: PathLike) -> None:
        """Write everything: the graph, weights, compile arguments, optimizer state, counters.

        Args:
            filepath: an `.onnx` file; it runs anywhere, and `seqonnx.load_model` goes on from it.
        """
        files.save(self, Path(filepath))

    # For the rooms below: what the functions in `running` and `files` need.

    def forward(self) -> Forward:
        """The forward pass with baked weights, on the model's device."""
        device = select_device(self._device_request)
        made_for = (device, [tensor.shape for tensor in self.inputs])
        forward = self._forward
        if forward is None or forward.made_for != made_for:
            forward = Forward(self.inputs, self._outputs, self.weights, device, self.arrange)
            self._forward = forward
        return forward

    def trainer(self) -> Trainer:
        """The trainer; makes it on first use, for the layers that trained at `compile`.

        Raises:
            ValueError: if the model is not compiled.
        """
        compilation = self._require_compilation()
        with making():
            if self._trainer is None:
                subject = self._subject or self._capture_subject()
                device = select_device(self._device_request)
                self._trainer = Trainer(subject, compilation, device, self._progress)
            return self._trainer

    @property
    def compilation(self) -> Compilation | None:
        """What `compile` was given, resolved; None before."""
        return self._compilation

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of the optimizer; empty until the model trains."""
        begun = self._trainer or self._progress
        return [] if begun is None else self.trainer().optimizer_variables

    def require_compiled(self) -> None:
        """Raise a ValueError if `compile` was not called."""
        self._require_compilation()

    def warn_if_trainable_changed(self) -> None:
        """Warn if a `trainable` flag is not what it was at `compile`."""
        changed = [x.name for x, flag in self._flags_at_compile if x.trainable != flag]
        if len(changed) > 0:
            warnings.warn(running.TRAINABLE_CHANGED.format(changed), stacklevel=4)

    def _run_training(self, arrays: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Run in training mode: dropout drops, moving statistics move."""
        shapes = [tensor.shape for tensor in self.inputs]
        key = (last_setting(), *shapes, *(layer.trainable for layer in self.leaf_layers()))
        compiled = self._training_calls.get(key)
        if compiled is None:
            device = select_device(self._device_request)
            compiled = compile_training_call(self.inputs, self._outputs, device)
            kept = {k: c for k, c in self._training_calls.items() if k[0] == key[0]}
            self._training_calls = kept | {key: compiled}
        return compiled.run(arrays, seed=config.next_seed())

    def _connect(self, inputs: Any, outputs: Any) -> None:
        super()._connect(inputs, outputs)
        self._drop_passes()

    def _disconnect(self) -> None:
        super()._disconnect()
        self._drop_passes()

    def _drop_passes(self) -> None:
        """Forget what was made for the graph, the device or the optimizer of before."""
        trainer, self._trainer, self._progress = self._trainer, None, None
        if trainer is not None:
            trainer.release()
        self._subject = None
        self._forward = None
        self._training_calls.clear()
        self._flags_at_compile = []

    def _capture_subject(self) -> Subject:
        """Note what trains: a later change of `trainable` takes effect at the next `compile`."""
        self._flags_at_compile = [(x, x.trainable) for x in (self, *self.leaf_layers())]
        self._subject = running.subject_of(self)
        return self._subject

    def _require_compilation(self) -> Compilation:
        if self._compilation is None:
            raise ValueError("You must call `compile()` before using the model.")
        return self._compilation
