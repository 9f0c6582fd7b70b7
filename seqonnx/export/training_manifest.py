"""The manifest of a training: everything that a program must know to drive its graphs.

It is JSON, and says for each graph what to feed; what the state is called, what it is and where
it belongs in the model; and how losses and metrics follow from their accumulators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import onnx

from seqonnx.export.versions import opset_of
from seqonnx.graph import NoiseInput

FORMAT: Final = 1
"""Number of the form of manifests, which drivers check."""
GRAPHS: Final = {"train": "train.onnx", "eval": "eval.onnx", "forward": "forward.onnx"}
STATE_FILE: Final = "state.safetensors"
_RUNTIMES: Final = {
    13: "1.6",
    14: "1.7",
    15: "1.8",
    16: "1.10",
    17: "1.12",
    18: "1.14",
    19: "1.15",
    20: "1.17",
    21: "1.18",
    22: "1.21",
    23: "1.23",
}
"""The first ONNX Runtime that has the operators of a set and reads its files."""

Kind = Literal["weight", "statistic", "slot", "optimizer", "layer", "metric"]
"""Kinds of state: a float32 weight that trains; another float32 weight, such as a moving mean; a
slot of the optimizer; something else of the optimizer; something else of a layer; an accumulator of
a metric, which begins at 0 with every epoch and every evaluation."""


@dataclass(frozen=True)
class StateEntry:
    """An array that a training keeps.

    Args:
        name: name of the input of the graphs; `next/` before it is that of the output.
        kind: see `Kind`.
        index: its place among the weights of the model, or the variables of its optimizer; None
            for what belongs to neither.
        path: its path in the model.
        dtype: its dtype.
        shape: its shape, in the ONNX layout.
    """

    name: str
    kind: Kind
    index: int | None
    path: str
    dtype: str
    shape: Sequence[int]


@dataclass(frozen=True)
class MetricEntry:
    """A loss or metric: `(sum of numerator / sum of denominator) ** power`.

    Args:
        name: its name in logs.
        numerator: names of accumulators.
        denominator: names of accumulators; without any, and where they come to 0, nothing is
            divided.
        power: 1, or 0.5 for the root of a mean.
    """

    name: str
    numerator: Sequence[str]
    denominator: Sequence[str]
    power: float = 1.0


@dataclass(frozen=True)
class TrainingFacts:
    """All that the graphs do not say themselves.

    Args:
        model: name of the model.
        version: version of seqonnx.
        inputs: names of the inputs of the model.
        targets: names of the inputs for targets.
        sample_weights: names of the inputs for sample weights.
        noise: the noise inputs of each graph by name, in order.
        seed: seed of the noise.
        learning_rates: for each input of a learning rate a number, or a schedule as its class name
            and configuration.
        step: name of the input of the number of the step.
        state: what training keeps.
        metrics: losses and metrics, in the order of logs.
        averages: weights with the slots of their moving averages, which take their places at the
            end of `fit`.
        counts: how many weights the model has, and variables its optimizer.
    """

    model: str
    version: str
    inputs: Sequence[str]
    targets: Sequence[str]
    sample_weights: Sequence[str]
    noise: Mapping[str, Mapping[str, NoiseInput]]
    seed: int
    learning_rates: Mapping[str, float | Mapping[str, Any]]
    step: str
    state: Sequence[StateEntry]
    metrics: Sequence[MetricEntry]
    averages: Sequence[tuple[str, str]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def shared_file(number: int) -> str:
    """Name of a file of the large weights that no step changes, which the graphs share.

    Example:
        >>> shared_file(0), shared_file(1)
        ('frozen.bin', 'frozen_1.bin')
    """
    return "frozen.bin" if number == 0 else f"frozen_{number}.bin"


def manifest_of(
    facts: TrainingFacts, graphs: Mapping[str, onnx.ModelProto], shared: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the manifest.

    Args:
        facts: what the graphs do not say.
        graphs: the graphs by their keys in `GRAPHS`, as they are written.
        shared: names of the files with weights of the graphs.
    """
    train = graphs["train"]
    opset = opset_of(train)
    described = {value.name: _described(value) for value in train.graph.input}
    fed = ["inputs", "targets", "sample_weights"]
    return {
        "format": FORMAT,
        "seqonnx": facts.version,
        "model": facts.model,
        "opset": opset,
        "ir_version": train.ir_version,
        "onnxruntime": _RUNTIMES[opset],
        **{key: [described[name] for name in getattr(facts, key)] for key in fed},
        "outputs": [
            _described(value)
            for value in graphs["forward"].graph.output
            if not value.name.startswith("next/")
        ],
        "graphs": {
            key: {
                "file": GRAPHS[key],
                "data": fed[: 1 if key == "forward" else 3],
                "noise": _noise(graphs[key], facts.noise[key]),
                "seed": [0, 0] if key == "eval" else _words(facts.seed),
            }
            for key in GRAPHS
        },
        "shared": list(shared),
        "noise_generator": "triple32",
        "learning_rates": [
            described[name] | _rate(rate) for name, rate in facts.learning_rates.items()
        ],
        "step": described[facts.step],
        "state_file": STATE_FILE,
        "state": [asdict(entry) for entry in facts.state],
        "metrics": [asdict(entry) for entry in facts.metrics],
        "averages": [list(pair) for pair in facts.averages],
        "counts": dict(facts.counts),
    }


def _inputs_of(model: onnx.ModelProto) -> dict[str, dict[str, Any]]:
    """The inputs of a graph, described, by name."""
    return {value.name: _described(value) for value in model.graph.input}


def _described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    """Name, dtype and shape of an input or output; a size that the data decide is a string."""
    kind = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    sizes = [d.dim_param if d.HasField("dim_param") else d.dim_value for d in kind.shape.dim]
    return {"name": value.name, "dtype": dtype, "shape": sizes}


def _rate(rate: float | Mapping[str, Any]) -> dict[str, Any]:
    """A learning rate: its number or its schedule."""
    return {"schedule": dict(rate)} if isinstance(rate, Mapping) else {"value": rate}


def _noise(model: onnx.ModelProto, noise: Mapping[str, NoiseInput]) -> list[dict[str, Any]]:
    """The noise inputs of a graph, described."""
    inputs = _inputs_of(model)
    return [inputs[name] | _own_seed(drawn) for name, drawn in noise.items()]


def _own_seed(drawn: NoiseInput) -> dict[str, Any]:
    """The seed of its own that a noise input follows, if it does."""
    if drawn.source is None:
        return {}
    seed, step = drawn.source._at(1)
    return {"seed": _words(seed), "stream": drawn.stream, "counts_steps": step == 1}


def _words(seed: int) -> list[int]:
    """A seed as its lower and its upper 32 bits, which JSON holds exactly in every language."""
    return [seed & 0xFFFFFFFF, seed >> 32]
