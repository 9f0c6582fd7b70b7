"""TensorBoard: metrics, weights, the graph and a profile of a training, for its pages."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.callbacks.base import Callback, FitRun, Logs
from seqonnx.callbacks.event_file import EventFile, require_tensorboardx


class TensorBoard(Callback):
    """Writes event files for TensorBoard: `tensorboard --logdir=logs` shows them.

    Training goes to the folder `train`, validation and `evaluate` to `validation`. Tags are those
    of Keras: `epoch_loss`, `batch_loss`, `epoch_learning_rate`, `evaluation_loss_vs_iterations`,
    `dense/kernel/histogram`. Needs tensorboardX: `pip install "seqonnx[tensorboard]"`.

    Args:
        log_dir: the folder, which is made.
        histogram_freq: every how many epochs to write histograms of the weights; 0: never.
        write_graph: whether to write the graph of the model, as it computes.
        write_images: whether to write weights as images beside their histograms; needs Pillow.
        write_steps_per_second: whether to write how many steps a second takes.
        update_freq: `"epoch"`, `"batch"`, or every how many batches to write the metrics too.
        profile_batch: number of the batch to profile, from 1, or the first and the last, as a
            pair or `"10,20"`; 0: none. The trace of ONNX Runtime, in Chrome's format, lies in
            `train` as `batch_10.trace.json`: open it in `chrome://tracing` or Perfetto. Of several
            batches those of the shape of the first are in it.
        embeddings_freq: every how many epochs to write the tables of `Embedding` layers for the
            projector; 0: never.
        embeddings_metadata: path of a file with names of the rows, relative to `log_dir`; or one
            by the name of each layer.

    Raises:
        ImportError: if tensorboardX is not installed, or Pillow with `write_images`.
        ValueError: for a frequency or a range that is none.

    Example:
        >>> model.fit(x, y, callbacks=[TensorBoard("logs")])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | str | tuple[int, int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
    ) -> None:
        require_tensorboardx("event_file_writer")
        if write_images and importlib.util.find_spec("PIL") is None:
            raise ImportError('`write_images` needs Pillow: `pip install "seqonnx[images]"`.')
        self.log_dir = str(log_dir)
        self.histogram_freq = _whole("histogram_freq", histogram_freq)
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = _frequency(update_freq)
        self.embeddings_freq = _whole("embeddings_freq", embeddings_freq)
        self.embeddings_metadata = embeddings_metadata
        self._first, self._last = _profiled(profile_batch)
        self._files: dict[str, EventFile] = {}
        self._run: FitRun | None = None
        self._training = False
        self._tracing = False
        self._batches = 0
        self._batch_began = self._epoch_began = 0.0
        self._steps_before = 0

    @property
    def _needs_batch_logs(self) -> bool:
        """Whether the metrics are written after the batch that has begun."""
        return self.update_freq != "epoch" and self._is_due(self._batches)

    def _listens_to(self, hook: str) -> bool:
        """Batches matter only where something is written about them."""
        batchwise = self.update_freq != "epoch" or self._first > 0
        return super()._listens_to(hook) and ("batch" not in hook or batchwise)

    def _set_run(self, run: FitRun) -> None:
        """Receive the call of `fit` that begins."""
        self._run = run

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the graph and the projector's configuration."""
        self._training, self._batches = True, 0
        model: Any = self.model
        if self.embeddings_freq > 0:
            self._embeddings()
        if self.write_graph:
            self._file("train").graph(model.to_onnx())

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._training = False
        if self._tracing:
            self._stop_trace()
        self._close()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Start the profile, where this is its first batch."""
        self._batches += 1
        self._batch_began = time.perf_counter()
        if self._first > 0 and self._batches == self._first and self._run is not None:
            folder = Path(self.log_dir) / "train"
            folder.mkdir(parents=True, exist_ok=True)
            self._run.start_profile(folder / f"batch_{self._first}.trace.json")
            self._tracing = True

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the metrics, where they are due; end the profile."""
        if self._tracing and self._batches >= self._last:
            self._stop_trace()
        if self.update_freq == "epoch" or not self._is_due(self._batches):
            return
        file = self._file("train")
        if self.write_steps_per_second:
            rate = 1.0 / max(time.perf_counter() - self._batch_began, 1e-9)
            file.scalar("batch_steps_per_second", rate, self._batches)
        for name, value in (logs or {}).items():
            file.scalar(f"batch_{name}", value, self._batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write the metrics over the number of training steps."""
        optimizer = self.model.optimizer
        if optimizer is not None:
            for name, value in (logs or {}).items():
                tag = f"evaluation_{name}_vs_iterations"
                self._file("validation").scalar(tag, value, int(optimizer.iterations))
        if not self._training:
            self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note when the epoch began."""
        self._epoch_began = time.perf_counter()
        if self.write_steps_per_second:
            self._steps_before = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write metrics, and weights where they are due."""
        if logs:
            self._metrics(epoch, logs)
        if self.histogram_freq > 0 and epoch % self.histogram_freq == 0:
            self._weights(epoch)
        if self.embeddings_freq > 0 and epoch % self.embeddings_freq == 0:
            self._embeddings(epoch)
        for file in self._files.values():
            file.flush()

    def _metrics(self, epoch: int, logs: Logs) -> None:
        """Write the metrics of an epoch."""
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        train |= _learning_rates(self.model.optimizer)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self._steps_before
            taken = max(time.perf_counter() - self._epoch_began, 1e-9)
            train["steps_per_second"] = steps / taken
        for name, value in train.items():
            self._file("train").scalar(f"epoch_{name}", value, epoch)
        for name, value in logs.items():
            if name.startswith("val_"):
                tag = f"epoch_{name.removeprefix('val_')}"
                self._file("validation").scalar(tag, value, epoch)

    def _weights(self, epoch: int) -> None:
        """Write histograms of the weights, and perhaps images."""
        model: Any = self.model
        file = self._file("train")
        for layer in model.layers:
            for weight in layer.weights:
                name, values = weight.path.replace(":", "_"), np.asarray(weight.numpy())
                file.histogram(f"{name}/histogram", values, epoch)
                images = _as_images(values) if self.write_images else None
                if images is not None:
                    file.images(f"{name}/image", images, epoch)

    def _embeddings(self, epoch: int | None = None) -> None:
        """Write the tables of embeddings, and a configuration that names the newest."""
        model: Any = self.model
        layers = [layer for layer in model.layers if type(layer).__name__ == "Embedding"]
        metadata = self._metadata([layer.name for layer in layers])
        folder = Path(self.log_dir)
        (folder / "train").mkdir(parents=True, exist_ok=True)
        entries = []
        for layer in layers:
            table = f"train/{layer.name}-{0 if epoch is None else epoch}.tsv"
            values = np.asarray(layer.weights[0].numpy(), np.float64)
            np.savetxt(folder / table, values, fmt="%.9g", delimiter="\t")
            lines = [f"tensor_name: {_quoted(layer.name)}", f"tensor_path: {_quoted(table)}"]
            if layer.name in metadata:
                lines.append(f"metadata_path: {_quoted(metadata[layer.name])}")
            entries.append("embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n")
        (folder / "projector_config.pbtxt").write_text("".join(entries), "utf-8")

    def _metadata(self, names: list[str]) -> dict[str, str]:
        """The file with names of rows for each layer."""
        given = self.embeddings_metadata
        if given is None or isinstance(given, str):
            return {} if given is None else dict.fromkeys(names, given)
        unknown = sorted(set(given) - set(names))
        if len(unknown) > 0:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `keras.callbacks.TensorBoard` "
                f"`embeddings_metadata` argument: {unknown}. The model has {names}."
            )
        return dict(given)

    def _is_due(self, batch: int) -> bool:
        """Whether metrics are written after a batch, counted from 1."""
        return batch % int(self.update_freq) == 0

    def _stop_trace(self) -> None:
        """Write the profile."""
        self._tracing = False
        if self._run is not None:
            self._run.stop_profile()

    def _file(self, name: str) -> EventFile:
        """The event file of a folder, made with its first event."""
        if name not in self._files:
            self._files[name] = EventFile(Path(self.log_dir) / name)
        return self._files[name]

    def _close(self) -> None:
        """Close all files; the next event opens a new one."""
        for file in self._files.values():
            file.close()
        self._files = {}


def _learning_rates(optimizer: Any) -> dict[str, float]:
    """The learning rate; of each, where an optimizer holds several."""
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return {} if optimizer is None else {"learning_rate": float(optimizer.learning_rate)}
    return {f"learning_rate_{each.name}": float(each.learning_rate) for each in several}


def _as_images(weight: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """A weight as images, shape `(batch, height, width, channels)`; None for other ranks."""
    weight = np.squeeze(np.asarray(weight, np.float32))
    if weight.ndim == 1:
        return weight.reshape(1, -1, 1, 1)
    if weight.ndim == 2:
        wide = weight.T if weight.shape[0] > weight.shape[1] else weight
        return wide[None, :, :, None]
    if weight.ndim == 3:
        return weight.transpose(2, 0, 1)[..., None]
    return weight if weight.ndim == 4 and weight.shape[-1] in {1, 3, 4} else None


def _quoted(text: str) -> str:
    """Text in a configuration of Protobuf."""
    return json.dumps(text)


def _whole(name: str, value: Any) -> int:
    """A number of epochs."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"`{name}` must be a number of epochs, 0 or more. Received: {value!r}")
    return value


def _frequency(update_freq: str | int) -> str | int:
    """How often metrics are written: `"epoch"` or a number of batches."""
    if update_freq in {"batch", "epoch"}:
        return 1 if update_freq == "batch" else "epoch"
    if isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq > 0:
        return update_freq
    raise ValueError(
        "`update_freq` must be 'epoch', 'batch' or a positive number of batches. "
        f"Received: update_freq={update_freq!r}"
    )


def _profiled(profile_batch: Any) -> tuple[int, int]:
    """The first and the last batch to profile; 0 and 0 for none."""
    given = profile_batch
    if isinstance(given, str) and all(part.strip().isdigit() for part in given.split(",")):
        given = [int(part) for part in given.split(",")]
    pair = [given] * 2 if isinstance(given, int) else given
    if isinstance(pair, list | tuple) and len(pair) == 1:
        pair = [*pair, *pair]
    whole = isinstance(pair, list | tuple) and all(isinstance(part, int) for part in pair)
    if not whole or len(pair) != 2 or not 0 <= pair[0] <= pair[1]:
        raise ValueError(
            "profile_batch must be a non-negative integer or 2-tuple of positive integers. A pair "
            f"of positive integers signifies a range of batches to profile. Found: {profile_batch}"
        )
    return pair[0], pair[1]
