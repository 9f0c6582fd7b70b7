"""The shortest driver of a training in files: ONNX Runtime, NumPy and the manifest, no seqonnx.

The noise alone comes from seqonnx.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from safetensors.numpy import load_file, save_file

from seqonnx.runtime.noise import uniform_noise


class PlainDriver:
    """Trains, measures and predicts by the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.state: dict[str, Any] = load_file(folder / self.manifest["state_file"])
        self.sums: dict[str, Any] = {}
        self.steps = 0
        self.sessions = {
            kind: ort.InferenceSession(folder / graph["file"], providers=["CPUExecutionProvider"])
            for kind, graph in self.manifest["graphs"].items()
        }

    def train_on_batch(self, x: Any, y: Any, weight: Any = None) -> dict[str, float]:
        self._reset()
        self._run("train", x, y, weight)
        self.steps += 1
        return self._logs()

    def evaluate(self, batches: Any) -> dict[str, float]:
        self._reset()
        for batch in batches:
            self._run("eval", *batch)
        return self._logs()

    def predict(self, x: Any) -> dict[str, Any]:
        return self._run("forward", x)

    def save(self, path: Path) -> None:
        save_file(self.state, path, {"seqonnx": json.dumps({"steps": self.steps, "epochs": 0})})

    def _reset(self) -> None:
        for entry in self.manifest["state"]:
            if entry["kind"] == "metric":
                self.sums[entry["name"]] = np.zeros(entry["shape"], entry["dtype"])

    def _logs(self) -> dict[str, float]:
        def total(names: list[str]) -> float:
            return float(sum(self.sums[name].item() for name in names))

        return {
            m["name"]: (total(m["numerator"]) / (total(m["denominator"]) or 1.0)) ** m["power"]
            for m in self.manifest["metrics"]
        }

    def _run(self, kind: str, *data: Any) -> dict[str, Any]:
        graph, session = self.manifest["graphs"][kind], self.sessions[kind]
        feeds = self.state | self.sums
        sizes: dict[str, int] = {}
        for what, given in zip(graph["data"], data, strict=False):
            for spec in self.manifest[what]:
                part = given
                if isinstance(given, Mapping):
                    part = given[spec["name"].removeprefix("y_true/")]
                array = feeds[spec["name"]] = np.asarray(part, spec["dtype"])
                sizes |= dict(zip(spec["shape"], array.shape, strict=True))
        for number, spec in enumerate(graph["noise"]):
            shape = [sizes.get(size, size) for size in spec["shape"]]
            step = self.steps if kind == "train" and spec.get("counts_steps", True) else 0
            (low, high), stream = spec.get("seed", graph["seed"]), spec.get("stream", number)
            feeds[spec["name"]] = uniform_noise(low + (high << 32), step, stream, shape)
        for rate in self.manifest["learning_rates"]:
            feeds[rate["name"]] = np.asarray(rate["value"], np.float32)
        feeds[self.manifest["step"]["name"]] = np.asarray(self.steps + 1, np.float32)
        names = [output.name for output in session.get_outputs()]
        wanted = {entry.name: feeds[entry.name] for entry in session.get_inputs()}
        results = dict(zip(names, session.run(names, wanted), strict=True))
        for name, value in results.items():
            key = name.removeprefix("next/")
            if key != name:
                (self.state if key in self.state else self.sums)[key] = value
        return {name: value for name, value in results.items() if not name.startswith("next/")}
