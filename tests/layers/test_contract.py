"""Every layer builds, infers its shape, exports, and runs alike everywhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

from seqonnx import layers
from seqonnx.catalogue import saved_name
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.layers.serialization import KNOWN, deserialize, serialize
from support.layers.emission import reference, runtime
from support.layers.layer_cases import APART, CASES, CELLS, Case

every_layer = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def data(case: Case, batch: int = 3) -> list[np.ndarray]:
    """An array for each input."""
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, *shape)).astype(np.float32) for shape in inputs(case)]


def inputs(case: Case) -> list[tuple[int, ...]]:
    """Shapes of all inputs without the batch."""
    return case.input if isinstance(case.input, list) else [case.input]


def built(case: Case) -> layers.Layer:
    """The layer, built, with weights that are neither zeros nor ones."""
    layer = case.make()
    build(layer, case)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.2, 1.5, v.shape) for v in layer.weights])
    return layer


def build(layer: layers.Layer, case: Case) -> None:
    first, named = arranged(case, [(None, *shape) for shape in inputs(case)])
    layer._build_for(first, **{f"{name}_shape": shape for name, shape in named.items()})


def arranged(case: Case, parts: list[Any]) -> tuple[Any, dict[str, Any]]:
    """The first argument of the layer's call, and those that have names."""
    if case.named:
        return parts[0], dict(zip(case.named, parts[1:], strict=True))
    return parts if isinstance(case.input, list) else parts[0], {}


def called(layer: layers.Layer, case: Case, parts: list[Any]) -> Any:
    """The layer called; on data in inference, which not every layer does by itself."""
    first, named = arranged(case, parts)
    mode = {"training": False} if isinstance(parts[0], np.ndarray) else {}
    return layer(first, **named, **mode)


def symbolic(case: Case) -> list[Any]:
    return [layers.Input(shape) for shape in inputs(case)]


def emitted(layer: layers.Layer, case: Case, training: bool = False, dtype="float32") -> Emitter:
    op = Emitter()
    x = [op.input(f"x{i}", dtype, ("batch", *shape)) for i, shape in enumerate(inputs(case))]
    with op.scope(layer.name):
        first, named = arranged(case, x)
        y = layer._emit(op, first, training, **named)
    op.output(y, "y")
    return op


def feeds(case: Case, batch: int = 3) -> dict[str, np.ndarray]:
    return {f"x{i}": a for i, a in enumerate(data(case, batch))}


def test_every_known_layer_has_a_case():
    covered = {saved_name(type(case.make())) for case in CASES} | APART | CELLS
    assert covered == set(KNOWN) - {"Operation"}


@every_layer
def test_symbolic_and_eager_calls_give_the_same_shape(case):
    layer = case.make()
    output = called(layer, case, symbolic(case))
    assert output.shape == (None, *case.output)
    assert output.dtype == "float32"
    for batch in (1, 3):
        assert called(layer, case, data(case, batch)).shape == (batch, *case.output)


@every_layer
def test_weights_have_keras_shapes(case):
    layer = case.make()
    called(layer, case, symbolic(case))
    assert [v.shape for v in layer.weights] == case.weights
    assert layer.count_params() == sum(int(np.prod(shape)) for shape in case.weights)
    assert {v.path.split("/")[0] for v in layer.weights} <= {layer.name}


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_graph_is_valid_and_standard(case, training):
    op = emitted(built(case), case, training)
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    assert {node.domain for node in op.graph} <= {""}
    assert all(node.name.startswith(op.graph[0].name.partition("/")[0]) for node in op.graph)


@every_layer
def test_runtime_equals_the_reference(case):
    if case.id in {"GlobalMaxPooling1D", "GlobalMaxPooling3D"}:
        pytest.skip("the reference evaluator's GlobalMaxPool is right for images only")
    op = emitted(built(case), case)
    for batch in (1, 3):
        x = feeds(case, batch)
        np.testing.assert_allclose(runtime(op, x)[0], reference(op, x)[0], rtol=1e-4, atol=1e-5)


@every_layer
def test_eager_call_equals_the_exported_graph(case):
    layer = built(case)
    expected = runtime(emitted(layer, case), feeds(case))[0]
    np.testing.assert_allclose(called(layer, case, data(case)), expected, rtol=1e-5, atol=1e-6)


@every_layer
def test_graph_follows_the_dtype(case):
    if case.id == "ONNXModel":
        pytest.skip("a file has dtypes of its own")
    layer = case.make(dtype="float64")
    build(layer, case)
    op = emitted(layer, case, training=True, dtype="float64")
    assert op.graph.outputs[0].dtype.numpy() == np.float64


@every_layer
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_graph_follows_a_mixed_policy(case, half):
    if case.id == "ONNXModel":
        pytest.skip("a file has dtypes of its own")
    layer = case.make(dtype=f"mixed_{half}")
    build(layer, case)
    op = emitted(layer, case, training=True)
    assert op.graph.outputs[0].dtype.numpy().name == half
    assert {value.dtype.numpy().name for value in op.updates.values()} <= {"float32"}
    onnx.checker.check_model(to_proto(op.graph), full_check=True)


@every_layer
def test_config_survives_json(case):
    layer = built(case)
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert type(again) is type(layer)
    assert again.name == layer.name
    assert again.get_config() == layer.get_config()
    build(again, case)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(called(again, case, data(case)), called(layer, case, data(case)))


@every_layer
def test_equal_layers_emit_equal_bytes(case):
    layer = built(case)
    graphs = [to_proto(emitted(layer, case, training=True).graph) for _ in range(2)]
    assert graphs[0].SerializeToString() == graphs[1].SerializeToString()


@every_layer
def test_empty_batch_gives_an_empty_result(case):
    assert called(built(case), case, data(case, 0)).shape == (0, *case.output)
