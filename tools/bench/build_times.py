"""How long it takes to build a training step of a large network, and whether it learns.

    python tools/bench/build_times.py [NAME ...] [--steps 5] [--json FILE]

The networks are the nine architectures that the onnx package carries, with weights drawn anew, and
a transformer of 12 layers written as a plain ONNX graph, once with attention spelled out and once
with the operator Attention. Each learns one small batch by heart. Prints the time to build the step
graph (by the clock, and of the processor: the former doubles on a busy machine), to make a session
of it, and the losses; exits with 1 if the graph took longer than the limit or the loss rose.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

import seqonnx as keras  # noqa: E402
from seqonnx import layers  # noqa: E402
from seqonnx.training import trainer  # noqa: E402

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
LIMITS = {"resnet50": 5.0}
LIMIT = 10.0
"""Seconds to build a step, unless `LIMITS` says less."""

BATCH, CLASSES = 2, 10
DEPTH, LENGTH, WIDTH, HEADS, WORDS = 12, 32, 64, 4, 50
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Task:
    """A network and a batch to learn.

    Args:
        model: the network, compiled.
        x: inputs of the batch.
        y: its classes.
    """

    model: Any
    x: Array
    y: Array


@dataclass(frozen=True)
class Result:
    """The measured times in seconds, by the clock and of the processor."""

    name: str
    weights: int
    nodes: int
    build: float
    build_cpu: float
    session: float
    losses: list[float]
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the step was built in time and the loss fell."""
        finite = bool(np.isfinite(self.losses).all())
        return finite and self.losses[-1] < self.losses[0] and self.build <= self.limit


def light_model(name: str) -> onnx.ModelProto:
    """One of the nine files, with all weights drawn anew from seed 0.

    The files make constants of most weights, so that no two channels differ. Filters and matrices
    are drawn as He et al. (2015) do it, biases are 0, normalizations start as the identity.
    """
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    graph = model.graph
    stored = {t.name: t for t in graph.initializer}
    shapes = {t.name: list(t.dims) for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    for node in [n for n in graph.node if n.op_type == "ConstantOfShape"]:
        shapes[node.output[0]] = [int(d) for d in numpy_helper.to_array(stored[node.input[0]])]
        graph.node.remove(node)
    rng, ones = np.random.default_rng(0), _scales(graph)
    for weight, shape in shapes.items():
        if len(shape) > 1:
            array = rng.standard_normal(shape, np.float32)
            array *= np.float32(np.sqrt(2 / np.prod(shape[1:])))
        else:
            array = np.full(shape, float(weight in ones), np.float32)
        if weight in stored:
            graph.initializer.remove(stored[weight])
        graph.initializer.append(numpy_helper.from_array(array, weight))
    model.ir_version = 8  # initializers need not be inputs
    return model


def _scales(graph: onnx.GraphProto) -> set[str]:
    """Weights that multiply channels: of batch normalization, or of a Mul behind it."""
    normal = {
        node.input[i] for node in graph.node if node.op_type == "BatchNormalization" for i in (1, 4)
    }
    factors = {name for node in graph.node if node.op_type == "Mul" for name in node.input}
    return normal | {n.input[0] for n in graph.node if n.output[0] in factors}


def light(name: str) -> Task:
    """One of the nine, with the scores of its 1000 classes brought to a sensible size."""
    proto = light_model(name)
    last = proto.graph.node[-1]
    scores = last.input[0] if last.op_type == "Softmax" else proto.graph.output[0].name
    x = np.random.default_rng(1).standard_normal((BATCH, 3, 224, 224), np.float32)
    base = layers.ONNXModel(proto, outputs=scores, name="base")
    scale = 1 / float(np.std(np.asarray(base(x))))
    model = keras.Sequential(
        [base, layers.Flatten(), layers.Rescaling(scale), layers.Activation("softmax")]
    )
    model.compile(keras.optimizers.Adam(2e-5), "sparse_categorical_crossentropy")
    return Task(model, x, np.arange(BATCH))


class Writer:
    """Writes a plain ONNX graph: nodes and weights, one after another."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name, **attributes))
        return name

    def weight(self, *shape: int, start: float | None = None) -> str:
        """Add a weight: one number everywhere, or drawn with a deviation by its first size."""
        array = (
            self._rng.normal(scale=shape[0] ** -0.5, size=shape)
            if start is None
            else np.full(shape, start)
        )
        return self._store(array.astype(np.float32))

    def constant(self, value: Any) -> str:
        """Add a vector of integers or a number."""
        return self._store(np.array(value, np.float32 if isinstance(value, float) else np.int64))

    def _store(self, array: Array) -> str:
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def dense(self, x: str, inner: int, outer: int) -> str:
        """A product with a matrix, plus a bias."""
        product = self.node("MatMul", x, self.weight(inner, outer))
        return self.node("Add", product, self.weight(outer, start=0.0))

    def normal(self, x: str) -> str:
        """Layer normalization over the last axis."""
        scale, bias = self.weight(WIDTH, start=1.0), self.weight(WIDTH, start=0.0)
        return self.node("LayerNormalization", x, scale, bias)


def spelled_out(op: Writer, q: str, k: str, v: str) -> str:
    """softmax(q k^T / sqrt(d)) v for each head."""
    split = op.constant([0, 0, HEADS, WIDTH // HEADS])
    q, k, v = (
        op.node("Transpose", op.node("Reshape", part, split), perm=perm)
        for part, perm in ((q, [0, 2, 1, 3]), (k, [0, 2, 3, 1]), (v, [0, 2, 1, 3]))
    )
    scores = op.node("Mul", op.node("MatMul", q, k), op.constant((WIDTH // HEADS) ** -0.5))
    mixed = op.node("MatMul", op.node("Softmax", scores, axis=-1), v)
    joined = op.node("Transpose", mixed, perm=[0, 2, 1, 3])
    return op.node("Reshape", joined, op.constant([0, 0, WIDTH]))


def one_operator(op: Writer, q: str, k: str, v: str) -> str:
    """The same, by the operator."""
    return op.node("Attention", q, k, v, q_num_heads=HEADS, kv_num_heads=HEADS)


def transformer_model(
    attention: Callable[[Writer, str, str, str], str], depth: int = DEPTH
) -> onnx.ModelProto:
    """A transformer with normalization before each part, from words to scores of classes."""
    op = Writer()
    table, places = op.weight(WORDS, WIDTH), op.weight(LENGTH, WIDTH)
    x = op.node("Add", op.node("Gather", table, "words"), places)
    for _ in range(depth):
        normal = op.normal(x)
        parts = [op.dense(normal, WIDTH, WIDTH) for _ in range(3)]
        x = op.node("Add", x, op.dense(attention(op, *parts), WIDTH, WIDTH))
        wide = op.node("Gelu", op.dense(op.normal(x), WIDTH, 4 * WIDTH))
        x = op.node("Add", x, op.dense(wide, 4 * WIDTH, WIDTH))
    mean = op.node("ReduceMean", op.normal(x), op.constant([1]), keepdims=0)
    scores = op.dense(mean, WIDTH, CLASSES)
    graph = helper.make_graph(
        op.nodes,
        "transformer",
        [helper.make_tensor_value_info("words", TensorProto.INT64, ["batch", LENGTH])],
        [helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["batch", CLASSES])],
        op.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)


def transformer(attention: Callable[[Writer, str, str, str], str], depth: int = DEPTH) -> Task:
    """The transformer and a batch of words."""
    base = layers.ONNXModel(transformer_model(attention, depth), name="base")
    model = keras.Sequential([base, layers.Activation("softmax")])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    words = np.random.default_rng(1).integers(0, WORDS, (BATCH, LENGTH))
    return Task(model, words, np.arange(BATCH))


NETWORKS: dict[str, Callable[[], Task]] = {
    **{
        path.stem.removeprefix("light_"): partial(light, path.stem.removeprefix("light_"))
        for path in sorted(LIGHT.glob("light_*.onnx"))
    },
    "transformer": partial(transformer, spelled_out),
    "transformer_attention": partial(transformer, one_operator),
}


@dataclass(frozen=True)
class Call:
    """A call that was timed."""

    seconds: float
    cpu: float
    made: Any


@contextmanager
def stopwatch(module: Any, name: str) -> Iterator[list[Call]]:
    """Time the calls of a function of a module."""
    calls: list[Call] = []
    original = getattr(module, name)

    def timed(*args: Any, **options: Any) -> Any:
        start, cpu = time.perf_counter(), time.thread_time()
        made = original(*args, **options)
        calls.append(Call(time.perf_counter() - start, time.thread_time() - cpu, made))
        return made

    with mock.patch.object(module, name, timed):
        yield calls


def measure(name: str, steps: int = 5) -> Result:
    """Build the training step of a network and take some steps."""
    keras.clear_session()
    keras.set_random_seed(0)
    task = NETWORKS[name]()
    with (
        stopwatch(trainer, "build_train_step") as graphs,
        stopwatch(trainer, "StepRunner") as sessions,
    ):
        losses = [float(task.model.train_on_batch(task.x, task.y)) for _ in range(steps)]
    graph = onnx.load_from_string(graphs[0].made.model).graph
    return Result(
        name,
        sum(int(np.prod(w.shape)) for w in task.model.weights),
        len(graph.node),
        graphs[0].seconds,
        graphs[0].cpu,
        sessions[0].seconds,
        losses,
        LIMITS.get(name, LIMIT),
    )


def table(results: list[Result]) -> Table:
    """The figures for people."""
    made = Table("network", "weights", "nodes", "graph", "CPU", "session", "limit", "losses", "")
    for r in results:
        made.add_row(
            r.name,
            f"{r.weights:,}",
            f"{r.nodes:,}",
            f"{r.build:.2f} s",
            f"{r.build_cpu:.2f} s",
            f"{r.session:.2f} s",
            f"{r.limit:g} s",
            " ".join(f"{loss:.3g}" for loss in r.losses),
            "passed" if r.passed else "FAILED",
        )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure the networks asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    results = [measure(name, options.steps) for name in options.names or NETWORKS]
    Console().print(table(results))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(r) for r in results], indent=2) + "\n", "utf-8")
    return 0 if all(r.passed for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
