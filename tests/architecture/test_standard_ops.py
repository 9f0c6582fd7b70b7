"""Every graph that seqonnx emits holds standard `ai.onnx` operators only."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers, losses, metrics, optimizers
from seqonnx.catalogue import entries, short_names
from seqonnx.export.options import DEFAULT_OPSET
from seqonnx.graph.versions import LOOKUP_DOMAIN, OPSET, VERSIONS
from seqonnx.runtime import session as sessions
from support.layers.layer_cases import CASES
from support.metric_cases import REQUIRED

ROOT = Path(__file__).resolve().parents[2]
# The network of onnx_finetune comes from a file that need not be here (tests/importers), the
# weights of xception_transfer from the network (tests/applications).
ELSEWHERE = {"onnx_finetune", "xception_transfer"}
MODELS = sorted(p for p in (ROOT / "models").glob("*.py") if p.stem not in ELSEWHERE)


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Nodes of a graph and of the graphs inside its nodes."""
    graphs = [graph]
    while len(graphs) > 0:
        for node in graphs.pop().node:
            yield node
            for attribute in node.attribute:
                graphs.extend([*attribute.graphs, *([attribute.g] * attribute.HasField("g"))])


def assert_standard(model: onnx.ModelProto, *, opset: int = OPSET, lookups: bool = False) -> None:
    """Raise unless a model is made of named nodes of the standard operators of one set.

    With `lookups` it may also hold the one operator that looks up text, of ONNX's second domain.
    """
    second = [(LOOKUP_DOMAIN, VERSIONS[LOOKUP_DOMAIN])] if lookups else []
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset), *second]
    assert len(model.functions) == 0
    for node in nodes_of(model.graph):
        if lookups and (node.domain, node.op_type) == (LOOKUP_DOMAIN, "LabelEncoder"):
            continue
        assert node.domain == "", f"{node.name}: {node.domain}.{node.op_type}"
        assert onnx.defs.has(node.op_type, opset, ""), f"{node.name}: {node.op_type}"
        assert node.name != ""


class Recorded(Exception):
    """Raised in place of loading a graph."""


@pytest.fixture
def graphs(monkeypatch) -> dict[str, onnx.ModelProto]:
    """The graphs that would have been loaded, by what they are for.

    A step is taken as it goes into files: the session's own has blocked convolutions besides.
    """
    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    found: dict[str, onnx.ModelProto] = {}

    def record(model: bytes, device: Any, options: Any, name: str, **choices: Any) -> None:
        found[name] = onnx.load_from_string(model)
        raise Recorded

    monkeypatch.setattr(sessions, "create_session", record)
    return found


def record_all(
    model: keras.Model,
    y: np.ndarray,
    graphs: dict[str, onnx.ModelProto],
    names: tuple[str, ...] = (),
) -> None:
    """Emit every graph of a compiled model and check it; `names` are those of more arguments."""
    arrays = [np.ones((2, *(d or 8 for d in t.shape[1:])), np.float32) for t in model.inputs]
    x = arrays[0] if len(arrays) == 1 else arrays
    first = next(layer for layer in model.layers if not isinstance(layer, layers.InputLayer))
    calls: list[Callable[[], Any]] = [
        lambda: model.train_on_batch(x, y),
        lambda: model.test_on_batch(x, y),
        lambda: model.predict_on_batch(x),
        lambda: model(x, training=True),
        lambda: (
            first(arrays[0], **dict(zip(names, arrays[1:], strict=True)))
            if names
            else first(arrays if first._takes_list else x)
        ),
    ]
    for call in calls:
        with pytest.raises(Recorded):
            call()
    assert {"graph 'step'", "graph 'test step'", "graph 'forward pass'"} <= set(graphs)
    for graph in graphs.values():
        assert_standard(graph)
    assert_standard(model.to_onnx())


def test_assertion_notices_what_is_not_standard():
    good = onnx.helper.make_node("Relu", ["x"], ["y"], name="r")
    bad = onnx.helper.make_node("Gelu", ["x"], ["y"], name="g", domain="com.microsoft")
    unknown = onnx.helper.make_node("NoSuchOp", ["x"], ["y"], name="n")
    opset = [onnx.helper.make_opsetid("", OPSET)]
    inner = onnx.helper.make_graph([bad], "inner", [], [])
    nested = onnx.helper.make_node("If", ["c"], ["y"], name="i", then_branch=inner,
                                   else_branch=inner)  # fmt: skip
    for nodes, standard in (([good], True), ([bad], False), ([unknown], False), ([nested], False)):
        graph = onnx.helper.make_graph(nodes, "g", [], [])
        model = onnx.helper.make_model(graph, opset_imports=opset)
        if standard:
            assert_standard(model)
        else:
            with pytest.raises(AssertionError):
                assert_standard(model)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_graphs_of_every_layer(case, graphs, tmp_path, monkeypatch):
    if isinstance(case.input, list):
        inputs = [keras.Input(shape) for shape in case.input]
        first, named = inputs[0], dict(zip(case.named, inputs[1:], strict=False))
        model = keras.Model(inputs, case.make()(first, **named) if named else case.make()(inputs))
    else:
        model = keras.Sequential([keras.Input(case.input), case.make()])
    model.compile("adam", "mse")
    record_all(model, np.ones((2, *case.output), np.float32), graphs, case.named)
    monkeypatch.undo()  # a file is run before it is written
    model.export(tmp_path / "m.onnx")
    assert_standard(onnx.load(tmp_path / "m.onnx"), opset=DEFAULT_OPSET)


@pytest.mark.parametrize(
    ("layer", "dtype"),
    [
        (layers.StringLookup(vocabulary=["a"]), "string"),
        (layers.TextVectorization(standardize="lower", vocabulary=["a"]), "string"),
        (layers.IntegerLookup(vocabulary=[3], num_oov_indices=2), "int64"),
    ],
    ids=["strings", "texts", "integers"],
)
def test_graphs_of_lookups_hold_one_operator_more(layer, dtype, graphs, tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((1,), dtype=dtype), layer, layers.Embedding(4, 2)])
    model.compile("adam", "mse")
    x = np.array([["a"]], object) if dtype == "string" else np.array([[3]])
    with pytest.raises(Recorded):
        model.predict_on_batch(x)
    monkeypatch.undo()
    model.export(tmp_path / "e.onnx")
    model.save(tmp_path / "s.onnx")
    written = 20 if isinstance(layer, layers.TextVectorization) else DEFAULT_OPSET  # StringSplit
    for found in graphs.values():
        assert_standard(found, lookups=True)
    for found in (onnx.load(tmp_path / f"{name}.onnx") for name in "es"):
        assert_standard(found, opset=written, lookups=True)
        with pytest.raises(AssertionError):
            assert_standard(found, opset=written)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_graphs_of_every_model_file(path, graphs, tmp_path, monkeypatch):
    model = runpy.run_path(str(path))["build"]()
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
    labels = [size or 8 for size in model.output_shape[1:-1]]  # one for each step of a sequence
    record_all(model, np.zeros((2, *labels), np.int64), graphs)
    monkeypatch.undo()
    model.save(tmp_path / "s.onnx")
    model.export(tmp_path / "m.onnx")
    for name in ("s.onnx", "m.onnx"):
        assert_standard(onnx.load(tmp_path / name), opset=DEFAULT_OPSET)


def classifier() -> keras.Sequential:
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize("loss", sorted({c.__name__ for c in entries("loss").values()}))
def test_graphs_of_every_loss(loss, graphs):
    model, targets = classifier(), np.eye(3)[:2]
    if loss == "CTC":
        model = keras.Sequential([keras.Input((4, 3)), layers.Dense(3, activation="softmax")])
        targets = np.ones((2, 2))
    elif loss.startswith("Sparse") or loss in {"CategoricalGeneralizedCrossEntropy", "Circle"}:
        targets = np.zeros(2)
    model.compile("sgd", getattr(losses, loss)())
    record_all(model, targets, graphs)


@pytest.mark.parametrize("metric", sorted({c.__name__ for c in entries("metric").values()}))
def test_graphs_of_every_metric(metric, graphs):
    model = classifier()
    sparse = metric.startswith("Sparse")
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy" if sparse else "mse",
        [getattr(metrics, metric)(*REQUIRED.get(metric, ()))],
    )
    record_all(model, np.zeros(2) if sparse else np.eye(3)[:2], graphs)


@pytest.mark.parametrize(
    "optimizer", sorted({c.__name__ for c in short_names("optimizer").values()})
)
@pytest.mark.parametrize("option", ["clipnorm", "clipvalue", "global_clipnorm", "weight_decay"])
def test_graphs_of_every_optimizer(optimizer, option, graphs):
    model = classifier()
    model.compile(getattr(optimizers, optimizer)(**{option: 0.5}), "mse")
    record_all(model, np.eye(3)[:2], graphs)
