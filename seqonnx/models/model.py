"""Model: the face of seqonnx. Delegates; owns no algorithm."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, Unpack

from seqonnx import config
from seqonnx.callbacks import Callback, History
from seqonnx.catalogue import register
from seqonnx.graph import auto_name, current_trace
from seqonnx.layers.architecture import connect_config, graph_config, subclass_config
from seqonnx.models import quantizing
from seqonnx.models.in_files import InFiles
from seqonnx.optimizers import Optimizer
from seqonnx.report import model_rows
from seqonnx.symbolic.structure import holds_symbolic
from seqonnx.training import compile_arguments, copying, feeding, fitting
from seqonnx.training.sessions import Sessions
from seqonnx.training.steps import Steps

PathLike = str | os.PathLike[str]


@register("model", saved_as="Functional")
class Model(InFiles, Steps):
    """A network of layers from input to output tensors, which can be trained, saved and exported.

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
        self._sessions = Sessions(self, self)
        super().__init__(inputs, outputs, name=name, trainable=trainable)

    def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the model to symbolic tensors, or compute it on data.

        Args:
            x: symbolic tensor, or array with the batch first; for several inputs a list of them,
                or a dict by the names of the inputs.
            *args: `training` without its name; `**kwargs`: none.
            training: see `Layer`.

        Returns:
            Symbolic tensors or arrays: one, a list or a dict, as the outputs were given.
        """
        if holds_symbolic(x) or current_trace() is not None:
            return super().__call__(x, *args, training=training, **kwargs)
        if args or kwargs:
            training = self._spelling.named(args, kwargs).get("training", training)
        return self._arrange(self._sessions.run(feeding.input_arrays(self, x), training))

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
        return fitting.predict(self._sessions, x, batch_size, verbose, steps, callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        return self(x)

    # Training.

    def compile(
        self,
        optimizer: str | Optimizer | Mapping[str, Any] | None = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        weighted_metrics: Sequence[Any] | Mapping[str, Any] | None = None,
        device: config.DeviceRequest | None = None,
        steps_per_execution: int = 1,
        autotune: bool = False,
        auto_scale_loss: bool = True,
        recompute: bool | Sequence[str] = False,
        **accepted: Unpack[compile_arguments.Accepted],
    ) -> None:
        """Say how to train. A second call starts with a fresh optimizer.

        Args:
            optimizer: name, instance or configuration.
            loss: name, instance, or a function `(op, y_true, y_pred)` emitting one value a sample.
            metrics: names, instances or such functions.
            weighted_metrics: the same, weighted by sample weights.
            device: where to train and predict; default `seqonnx.config.get_device()`.
            steps_per_execution: steps in one call of ONNX Runtime; callbacks are told of the last.
            autotune: measure which form of each gradient is the fastest, and remember it.
            auto_scale_loss: wrap the optimizer in a `LossScaleOptimizer` for `"mixed_float16"`.
            recompute: saves memory for a second forward pass: True, or layers to keep outputs of.
            **accepted: `loss_weights`, a factor of the loss; `jit_compile`; `run_eagerly` warns.

        Raises:
            ValueError: if something cannot be interpreted.
            DeviceError: if the device cannot be had.
        """
        compilation = compile_arguments.resolve(
            *(self, optimizer, loss, metrics, weighted_metrics, steps_per_execution),
            *(autotune, auto_scale_loss, recompute, accepted),
        )
        self._sessions.compile(compilation, device)

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._sessions.compilation is not None

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer; its `learning_rate` may be set between steps."""
        return self._sessions.optimizer()

    @property
    def loss(self) -> Any:
        """The loss, or None."""
        return self._sessions.compilation and self._sessions.compilation.loss

    @property
    def metrics_names(self) -> list[str]:
        """Names that `evaluate` gives values for, in their order."""
        return self._sessions.metrics_names()

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
            epochs: number of the epoch to stop before; the first one is 0.
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
        request = fitting.FitRequest(
            *(x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data),
            *(shuffle, class_weight, sample_weight, initial_epoch, steps_per_epoch),
            *(validation_steps, validation_batch_size, validation_freq),
        )
        return fitting.fit(self._sessions, request)

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
        logs = fitting.evaluate(
            self._sessions, x, y, batch_size, verbose, sample_weight, steps, callbacks
        )
        return fitting.shaped_logs(logs, return_dict)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """Run one training step on one batch; returns its loss and metrics."""
        logs = fitting.train_on_batch(self._sessions, x, y, sample_weight, class_weight)
        return fitting.shaped_logs(logs, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> float | list[Any] | dict[str, Any]:
        """Measure loss and metrics on one batch."""
        logs = fitting.test_on_batch(self._sessions, x, y, sample_weight)
        return fitting.shaped_logs(logs, return_dict)

    def quantize(
        self,
        form: str | None = None,
        config: Any = None,
        filters: quantizing.Filters = None,
        *,
        mode: str | None = None,
        type_check: bool = True,
    ) -> None:
        """Turn large weights into integers; or train with weights and inputs rounded to int8.

        `quantize("int8")` stores the kernels of Dense, EinsumDense and Embedding as integers, which
        do not train any more; see the layers' `quantize`. After `quantize("int8", mode="qat")`
        call `compile` and `fit`, for some epochs at a small learning rate: `export` then writes
        kernels of int8 that lose little. To quantise a file alone, see `export(quantize=...)`.

        Args:
            form: `"int8"` or `"int4"`; default that of `config`.
            config: a `seqonnx.quantizers.QuantizationConfig`; default the form's own.
            filters: regular expressions for the names of the layers to quantise, or a function
                that is given a layer; default: all that have matrices.
            mode: `"qat"`, quantisation-aware training; else another name of `form`.
            type_check: whether layers of classes of one's own stay as they are.

        Raises:
            ValueError: if an argument is not legal, the model is not built, or a layer is
                quantised already.
        """
        quantizing.quantize(self, form, config, filters, mode, type_check=type_check)

    # Configuration, reports.

    def get_config(self) -> dict[str, Any]:
        """Return name and layers, with what they are called on, as plain values.

        Raises an AttributeError if inputs and outputs are not known.
        """
        if self._is_subclassed():
            return subclass_config(self, Model)
        return {"name": self.name, "trainable": self._trainable, **graph_config(self)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make a model, with new weights, from the configuration that `get_config` returned.

        Args:
            config: name and layers.
            custom_objects: the user's own classes and functions, by name.
        """
        if cls._is_subclassed():
            return cls(**config)
        inputs, outputs = connect_config(config, custom_objects or {})
        return cls(inputs, outputs, name=config["name"], trainable=config.get("trainable", True))

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        *,
        style: Literal["rich", "plain"] = "rich",
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Before the model is built, shapes are `?` and numbers `0 (unbuilt)`.

        Args:
            line_length: width of the table in characters.
            positions: ends of the columns, as fractions of the width.
            print_fn: called once with the whole text; default: the terminal.
            expand_nested: whether layers of nested models get rows of their own.
            show_trainable: whether to say which layers train.
            layer_range: names of the first and last layer to show (regular expressions).
            style: `"rich"` as Keras 3 prints, `"plain"` as the Sequential guide prints.

        Raises:
            ValueError: if a column would be narrower than 4 characters, or `layer_range` is not
                two strings or matches no layer.
        """
        options = (line_length, positions, expand_nested, show_trainable, layer_range)
        table = model_rows.TableOptions(*options)
        model_rows.summary(self, self._sessions.optimizer_variables, table, print_fn, style)

    def _connect(self, inputs: Any, outputs: Any) -> None:
        super()._connect(inputs, outputs)
        self._sessions.drop()

    def _disconnect(self) -> None:
        super()._disconnect()
        self._sessions.drop()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: everything needed to go on, and no session."""
        return copying.state_of(self, self._sessions, super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        copying.restore(self, self, state)
