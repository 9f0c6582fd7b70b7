"""Every layer builds, infers its shape, exports, and runs alike everywhere."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from emission import reference, runtime
from layer_cases import CASES, Case

from seqonnx import layers
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.layers.serialization import KNOWN, deserialize, serialize

every_layer = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def data(case: Case, batch: int = 3) -> np.ndarray:
    return np.random.default_rng(batch).normal(size=(batch, *case.input)).astype(np.float32)


def built(case: Case) -> layers.Layer:
    """The layer, built, with weights that are neither zeros nor ones."""
    layer = case.make()
    layer.build_for((None, *case.input))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.2, 1.5, v.shape) for v in layer.weights])
    return layer


def emitted(layer: layers.Layer, case: Case, training: bool = False, dtype="float32") -> Emitter:
    op = Emitter()
    x = op.input("x", dtype, ("batch", *case.input))
    with op.scope(layer.name):
        y = layer.emit(op, x, training)
    op.output(y, "y")
    return op


def test_every_known_layer_has_a_case():
    assert {type(case.make()).__name__ for case in CASES} == set(KNOWN)


@every_layer
def test_symbolic_and_eager_calls_give_the_same_shape(case):
    layer = case.make()
    output = layer(layers.Input(case.input))
    assert output.shape == (None, *case.output)
    assert output.dtype == "float32"
    for batch in (1, 3):
        assert layer(data(case, batch)).shape == (batch, *case.output)


@every_layer
def test_weights_have_keras_shapes(case):
    layer = case.make()
    layer(layers.Input(case.input))
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
        feeds = {"x": data(case, batch)}
        np.testing.assert_allclose(
            runtime(op, feeds)[0], reference(op, feeds)[0], rtol=1e-4, atol=1e-5
        )


@every_layer
def test_eager_call_equals_the_exported_graph(case):
    layer = built(case)
    x = data(case)
    np.testing.assert_allclose(
        layer(x), runtime(emitted(layer, case), {"x": x})[0], rtol=1e-5, atol=1e-6
    )


@every_layer
def test_graph_follows_the_element_type(case):
    layer = case.make(dtype="float64")
    layer.build_for((None, *case.input))
    op = emitted(layer, case, training=True, dtype="float64")
    assert op.graph.outputs[0].dtype.numpy() == np.float64


@every_layer
def test_config_survives_json(case):
    layer = built(case)
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert type(again) is type(layer)
    assert again.name == layer.name
    assert again.get_config() == layer.get_config()
    again.build_for((None, *case.input))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(data(case)), layer(data(case)))


@every_layer
def test_equal_layers_emit_equal_bytes(case):
    layer = built(case)
    graphs = [to_proto(emitted(layer, case, training=True).graph) for _ in range(2)]
    assert graphs[0].SerializeToString() == graphs[1].SerializeToString()


@every_layer
def test_empty_batch_gives_an_empty_result(case):
    assert built(case)(data(case, 0)).shape == (0, *case.output)
