"""Autotuning: on this machine, measure the ways to compute a gradient, and remember the fastest.

Gradient rules choose a formulation by thresholds that were measured on one machine. Where a rule
offers several ways, each is built as a graph of its own, for just that node, and timed in turns
with the others. All ways give the same gradient; only rounding differs.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from seqonnx import config
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.serde import to_bytes
from seqonnx.graph.writing import replacing
from seqonnx.lowering.pipeline import TUNING, lower
from seqonnx.runtime import Device, DeviceArray, Session
from seqonnx.runtime.install import load_onnxruntime

_ROUNDS = 7
_logger = logging.getLogger("seqonnx")

Run = Callable[[], None]


class Autotuner:
    """Chooses ways to compute gradients by measuring them; what it has measured, it remembers.

    Args:
        device: where the gradients will run.
        path: file that remembers the choices; default `choices.json` in the cache folder
            (see `config.cache_folder`).

    Example:
        >>> choose = Autotuner(select_device("cpu"))  # doctest: +SKIP
        >>> choose(conv, [True, True], ["shared windows", "flipped convolution"])  # doctest: +SKIP
        'shared windows'
    """

    def __init__(self, device: Device, path: Path | None = None) -> None:
        self._device = device
        self._path = config.cache_folder() / "choices.json" if path is None else path
        version = load_onnxruntime().__version__
        self._machine = (
            f"{platform.machine()} {_processor()}, {os.cpu_count()} cores, {device}, "
            f"onnxruntime {version}"
        )
        self._known = _read(self._path)

    def __call__(self, node: ir.Node, wanted: Sequence[bool], ways: Sequence[str]) -> str:
        """Return the fastest way to compute the gradients of a node (see `autodiff.backward`)."""
        if not all(_is_known(value) for value in node.inputs if value is not None):
            return ways[0]
        choices = self._known.setdefault(self._machine, {})
        question = _describe(node, wanted)
        if choices.get(question) not in ways:
            choices[question] = self._fastest(node, wanted, ways)
            # Another process may have remembered something in the meantime.
            others = _read(self._path)
            others.setdefault(self._machine, {}).update(choices)
            _write(self._path, others)
        return choices[question]

    def _fastest(self, node: ir.Node, wanted: Sequence[bool], ways: Sequence[str]) -> str:
        """Time every way, in turns."""
        runs = {way: self._prepare(node, wanted, way) for way in ways}
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(_ROUNDS):
            for way, run in runs.items():
                run()  # the threads of the others' sessions come to rest
                start = time.perf_counter()
                run()
                times[way].append(time.perf_counter() - start)
        medians = {way: sorted(taken)[_ROUNDS // 2] for way, taken in times.items()}
        table = ", ".join(f"{way} {1e3 * t:.2f} ms" for way, t in medians.items())
        _logger.info("Tuned the gradient of %s '%s': %s", node.op_type, node.name, table)
        return min(medians, key=lambda way: medians[way])

    def _prepare(self, node: ir.Node, wanted: Sequence[bool], way: str) -> Run:
        """Return a function that computes the gradients of one node in one way."""
        op = Emitter()
        inputs = [
            None if value is None else _input_like(op, f"x{i}", value)
            for i, value in enumerate(node.inputs)
        ]
        output = op.emit(node.op_type, inputs, dict(_attributes(node)))
        gradient = op.input("dy", dtype_name(output), static_shape(output))
        sources = [v for v, want in zip(inputs, wanted, strict=False) if v is not None and want]
        found = backward(
            op,
            [(output, gradient)],
            sources,
            device=self._device.memory,
            choose=lambda *_: way,
        )
        for i, value in enumerate(found):
            if value is not None:
                op.output(value, f"grad/{i}")
        lower(op, TUNING)
        session = Session(to_bytes(op.graph), self._device, training=True, name=f"tuning of {way}")
        arrays = {
            spec.name: DeviceArray.from_numpy(_numbers(spec.shape, spec.dtype), self._device)
            for spec in session.inputs
        }
        binding = session.bind(arrays, dict.fromkeys(session.output_names))
        binding.run()
        return binding.run


def _is_known(value: ir.Value) -> bool:
    """Whether every size of a value is known."""
    return value.shape is not None and value.shape.is_static()


def _input_like(op: Emitter, name: str, value: ir.Value) -> ir.Value:
    """An input of a trial: what is computed in the model is computed here too.

    The rule of MaxPool asks what computes its input, since that decides which ways are right.
    """
    made = op.input(name, dtype_name(value), static_shape(value))
    return made if value.producer() is None else op.LeakyRelu(made)


def _attributes(node: ir.Node) -> list[tuple[str, object]]:
    """Attributes of a node as an emitter takes them."""
    return [(name, attribute.value) for name, attribute in node.attributes.items()]


def _describe(node: ir.Node, wanted: Sequence[bool]) -> str:
    """What the time depends on: operator, attributes, shapes, and which gradients are wanted."""
    attributes = sorted((name, str(value)) for name, value in _attributes(node))
    shapes = [
        "" if value is None else f"{dtype_name(value)}{list(static_shape(value))}"
        for value in node.inputs
    ]
    gradients = [i for i, want in enumerate(wanted) if want]
    return f"{node.op_type} {' '.join(shapes)} {attributes} gradients of {gradients}"


def _numbers(shape: Sequence[int | str | None] | None, dtype: str) -> np.ndarray:
    """Numbers of a middling size."""
    sizes = [d for d in shape or () if isinstance(d, int)]
    return np.random.default_rng(0).normal(size=sizes).astype(dtype)


def _processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Remembered choices by machine; none where the file is absent or damaged."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {machine: found for machine, found in known.items() if isinstance(found, dict)}


def _write(path: Path, known: dict[str, dict[str, str]]) -> None:
    """Remember; a folder that cannot be written to costs only the next measurement."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps(known, indent=1, sort_keys=True).encode())
    except OSError as error:
        _logger.warning("The choices of autotuning are not remembered: %s", error)
