"""Autotuning: on this machine, measure the forms of a gradient, and remember the fastest.

Gradient rules choose a form by thresholds that were measured on one machine. Where several forms
apply, each is built as a graph of its own, for just that node, and timed in turns with the others.
All give the same gradient; only rounding differs.
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
from seqonnx.autodiff.rule_emitter import AnyForm
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.reading import known_sizes
from seqonnx.graph.serde import to_bytes
from seqonnx.graph.writing import replacing
from seqonnx.lowering.pipeline import TUNING, Options, lower
from seqonnx.runtime import Device, DeviceArray, Session
from seqonnx.runtime.install import load_onnxruntime
from seqonnx.training.blocks import plain_forms

_ROUNDS = 7
_logger = logging.getLogger("seqonnx")

Run = Callable[[], None]


class Autotuner:
    """Chooses forms of gradients by measuring them; what it has measured, it remembers by name.

    Args:
        device: where the gradients will run.
        path: file that remembers the names of the chosen forms; default `choices.json` in the
            cache folder (see `config.cache_folder`).
        block: channels in a block of ONNX Runtime's blocked layout; 0 where steps are plain.

    Example:
        >>> choose = Autotuner(select_device("cpu"))  # doctest: +SKIP
        >>> choose(pool, [True], MAX_POOL_FORMS).name  # doctest: +SKIP
        'indices'
    """

    def __init__(self, device: Device, path: Path | None = None, *, block: int = 0) -> None:
        self._device, self._block = device, block
        self._path = config.cache_folder() / "choices.json" if path is None else path
        version = load_onnxruntime().__version__
        self._machine = (
            f"{platform.machine()} {_processor()}, {os.cpu_count()} cores, {device}, "
            f"onnxruntime {version}, blocks of {block}"
        )
        self._known = _read(self._path)

    def __call__(self, node: ir.Node, wanted: Sequence[bool], forms: Sequence[AnyForm]) -> AnyForm:
        """Return the fastest form of the gradients of a node (see `autodiff.backward`)."""
        if any(value is not None and known_sizes(value) is None for value in node.inputs):
            return forms[0]
        forms = forms if self._block > 0 else plain_forms(forms)
        choices = self._known.setdefault(self._machine, {})
        question = _describe(node, wanted)
        remembered = [form for form in forms if form.name == choices.get(question)]
        if len(remembered) > 0:
            return remembered[0]
        fastest = self._fastest(node, wanted, forms)
        choices[question] = fastest.name
        # Another process may have remembered something in the meantime.
        others = _read(self._path)
        others.setdefault(self._machine, {}).update(choices)
        _write(self._path, others)
        return fastest

    def _fastest(self, node: ir.Node, wanted: Sequence[bool], forms: Sequence[AnyForm]) -> AnyForm:
        """Time every form, in turns."""
        runs = [self._prepare(node, wanted, form) for form in forms]
        times: list[list[float]] = [[] for _ in forms]
        for _ in range(_ROUNDS):
            for run, taken in zip(runs, times, strict=True):
                run()  # the threads of the others' sessions come to rest
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
        medians = [sorted(taken)[_ROUNDS // 2] for taken in times]
        pairs = zip(forms, medians, strict=True)
        table = ", ".join(f"{form.name} {1e3 * median:.2f} ms" for form, median in pairs)
        _logger.info("Tuned the gradient of %s '%s': %s", node.op_type, node.name, table)
        return forms[medians.index(min(medians))]

    def _prepare(self, node: ir.Node, wanted: Sequence[bool], form: AnyForm) -> Run:
        """Return a function that computes the gradients of one node in one form."""
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
            choose=lambda *_: form,
        )
        for i, value in enumerate(found):
            if value is not None:
                op.output(value, f"grad/{i}")
        lower(op, TUNING, Options(block=self._block))
        session = Session(
            to_bytes(op.graph), self._device, training=True, name=f"tuning of {form.name}"
        )
        arrays = {
            spec.name: DeviceArray.from_numpy(_numbers(spec.shape, spec.dtype), self._device)
            for spec in session.inputs
        }
        binding = session.bind(arrays, dict.fromkeys(session.output_names))
        binding.run()
        return binding.run


def _input_like(op: Emitter, name: str, value: ir.Value) -> ir.Value:
    """An input of a trial: what is computed in the model is computed here too.

    The forms of MaxPool ask what computes its input, since that decides which are right.
    """
    made = op.input(name, dtype_name(value), static_shape(value))
    return made if value.producer() is None else op.LeakyRelu(made)


def _attributes(node: ir.Node) -> list[tuple[str, object]]:
    """Attributes of a node as an emitter takes them."""
    return [(name, attribute.value) for name, attribute in node.attributes.items()]


def _describe(node: ir.Node, wanted: Sequence[bool]) -> str:
    """The key of a measured time: operator, attributes, shapes, and the gradients wanted."""
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
