"""Event files, which TensorBoard reads: scalars, histograms, images and graphs."""

from __future__ import annotations

import importlib
import itertools
import os
import time
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_MOST_IMAGES: Final = 3
"""Images of one weight that are written, as in TensorFlow."""

_BINS: Final = 30
"""Bars of a histogram, as in TensorFlow."""

_numbers = itertools.count()


class EventFile:
    """A file of events in a folder, which is made.

    Args:
        folder: the folder; TensorBoard calls it a run.

    Raises:
        ImportError: if tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        event_file_writer = require_tensorboardx("event_file_writer")
        folder.mkdir(parents=True, exist_ok=True)
        # The name of a file has only whole seconds.
        suffix = f".{os.getpid()}.{next(_numbers)}.v2"
        self._writer = event_file_writer.EventsWriter(str(folder / "events"), suffix)
        self._finalizer = weakref.finalize(self, self._writer.close)  # after an error in training

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Write a number; of several, one series each."""
        values = np.asarray(value)
        for index in np.ndindex(values.shape):
            own = "".join(f"_{number}" for number in index)
            summary = require_tensorboardx("summary").scalar(tag + own, float(values[index]))
            self._write(step, summary=summary)

    def histogram(self, tag: str, values: npt.NDArray[Any], step: int) -> None:
        """Write how often values occur; those that are not finite are left out."""
        numbers = np.asarray(values, np.float64).ravel()
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size > 0:
            made = require_tensorboardx("summary").histogram(tag, numbers, _BINS)
            self._write(step, summary=made)

    def images(self, tag: str, images: npt.NDArray[Any], step: int) -> None:
        """Write the first images of a batch.

        Args:
            tag: name of the series; of several images each has a number behind it.
            images: shape `(batch, height, width, channels)`, of which [0, 1] is shown.
            step: where on the axis of time.
        """
        shown = images[:_MOST_IMAGES]
        for number, image in enumerate(np.clip(np.nan_to_num(shown), 0.0, 1.0)):
            own = tag if len(shown) == 1 else f"{tag}/{number}"
            made = require_tensorboardx("summary").image(own, image, dataformats="HWC")
            self._write(step, summary=made)

    def graph(self, model: Any) -> None:
        """Write an ONNX model as TensorBoard's graph.

        Args:
            model: the ModelProto.
        """
        graph = model.graph
        weights = {tensor.name for tensor in graph.initializer}
        data = [value.name for value in graph.input if value.name not in weights]
        made = [_node(name, "Placeholder", []) for name in data]
        made += [_node(name, "Const", []) for name in sorted(weights)]
        owner = {name: name for name in (*data, *weights)}
        for number, node in enumerate(graph.node):
            outputs = [name for name in node.output if name != ""]
            name = outputs[0] if len(outputs) > 0 else f"{node.op_type}_{number}"
            inputs = [owner[source] for source in node.input if source in owner]
            made.append(_node(name, node.op_type, inputs))
            owner |= dict.fromkeys(outputs, name)
        proto = require_tensorboardx("proto.graph_pb2").GraphDef(node=made)
        self._write(None, graph_def=proto.SerializeToString())

    def flush(self) -> None:
        """Make what was written visible to others."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._finalizer()

    def _write(self, step: int | None, **content: Any) -> None:
        """Append an event."""
        event = require_tensorboardx("proto.event_pb2").Event(wall_time=time.time(), **content)
        if step is not None:
            event.step = int(step)
        self._writer.write_event(event)


def require_tensorboardx(module: str) -> ModuleType:
    """Return a module of tensorboardX.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        return importlib.import_module(f"tensorboardX.{module}")
    except ImportError as error:
        raise ImportError(
            'TensorBoard needs tensorboardX: `pip install "seqonnx[tensorboard]"`.'
        ) from error


def _node(name: str, operator: str, inputs: list[str]) -> Any:
    """A node of TensorBoard's graph."""
    return require_tensorboardx("proto.node_def_pb2").NodeDef(name=name, op=operator, input=inputs)
