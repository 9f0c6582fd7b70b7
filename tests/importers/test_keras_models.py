"""Models are built from Keras's configuration for every layer that seqonnx has."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.layers.serialization import KNOWN

h5py = pytest.importorskip("h5py")


def entry(class_name: str, inbound=None, **config) -> dict:
    result = {"module": "keras.layers", "class_name": class_name, "config": config}
    if inbound is not None:
        result["inbound_nodes"] = [{"args": [inbound], "kwargs": {}}] if inbound else []
    return result


def tensor(name: str, node: int = 0, index: int = 0) -> dict:
    history = {"shape": [None, 3], "dtype": "float32", "keras_history": [name, node, index]}
    return {"class_name": "__keras_tensor__", "config": history}


def sequential(*entries: dict) -> dict:
    first = entry("InputLayer", batch_shape=[None, 3], dtype="float32", name="input_layer")
    config = {"name": "s", "trainable": True, "layers": [first, *entries]}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def functional(*entries: dict, inputs, outputs) -> dict:
    config = {"name": "f", "layers": list(entries), "input_layers": inputs}
    config["output_layers"] = outputs
    return {"module": "keras", "class_name": "Functional", "config": config}


def write(path, config: dict, weights=()) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for at, array in weights:
            file[at] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(config))
        archive.write(path.with_suffix(".h5"), "model.weights.h5")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.keras"


def test_every_missing_layer_is_named_at_once(path):
    nested = sequential(entry("Telescope", name="t2"))
    write(path, sequential(entry("Telescope", name="t1"), entry("Warp", name="w"), nested))
    with pytest.raises(
        ModelFileError,
        match=r"seqonnx has no layer for Telescope \(layers: t1, t2\); Warp \(layers: w\). Pass",
    ):
        sx.load_model(path)


def test_own_layer_comes_from_custom_objects(path):
    class Doubled(layers.Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, op, x, training):
            return op.Mul(x, self.factor)

    own = entry("Doubled", name="d", factor=2.0, dtype="float32") | {
        "module": "my.package",
        "registered_name": "my>Doubled",
    }
    write(path, sequential(own))
    for name in ("Doubled", "my>Doubled"):
        model = sx.load_model(path, custom_objects={name: Doubled})
        assert model(np.ones((1, 3))).tolist() == [[2.0, 2.0, 2.0]]


def test_argument_that_seqonnx_lacks_is_refused_unless_it_changes_nothing(path):
    bare = entry("BatchNormalization", name="bn", idle=None, off=False)
    weights = [(f"layers/batch_normalization/vars/{i}", np.ones(3)) for i in range(4)]
    write(path, sequential(bare), weights)
    assert sx.load_model(path).layers[0].name == "bn"
    write(path, sequential(entry("BatchNormalization", name="bn", virtual=True)), weights)
    with pytest.raises(ModelFileError, match=r"Layer 'bn' \(BatchNormalization\) has virtual=True"):
        sx.load_model(path)


def test_wrapped_arguments_are_unwrapped(path):
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    initializer = {
        "module": "keras.initializers",
        "class_name": "VarianceScaling",
        "config": {"scale": 2.0, "mode": "fan_in", "distribution": "uniform", "seed": None},
        "registered_name": None,
    }
    regularizer = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5}}
    dense = entry(
        *("Dense",),
        name="d",
        units=2,
        dtype=policy,
        kernel_initializer=initializer,
        kernel_regularizer=regularizer,
        quantization_config=None,
    )
    write(
        path,
        sequential(dense),
        [("layers/dense/vars/0", np.ones((3, 2))), ("layers/dense/vars/1", np.ones(2))],
    )
    layer = sx.load_model(path).layers[0]
    assert (layer.dtype, layer.compute_dtype) == ("float32", "float16")
    assert layer.kernel_initializer.scale == 2.0
    assert layer.kernel_regularizer.get_config() == {"l2": 0.5}


def branches(outputs) -> dict:
    first = entry("InputLayer", [], batch_shape=[None, 3], dtype="float32", name="x")
    shared = entry("Dense", tensor("x"), name="shared", units=3, use_bias=False)
    shared["inbound_nodes"].append({"args": [tensor("a")], "kwargs": {}})
    act = entry("Activation", tensor("shared"), name="a", activation="relu")
    add = entry("Add", [tensor("shared", 1), tensor("x")], name="sum")
    return functional(add, act, first, shared, inputs=[["x", 0, 0]], outputs=outputs)


@pytest.mark.parametrize(
    "outputs", [["sum", 0, 0], [["sum", 0, 0]], [["a", 0, 0], ["sum", 0, 0]], {"s": ["sum", 0, 0]}]
)
def test_functional_model_is_put_together_in_any_order(path, outputs):
    rng = np.random.default_rng(0)
    kernel, x = rng.normal(size=(3, 3)), rng.normal(size=(2, 3)).astype("float32")
    write(path, branches(outputs), [("layers/dense/vars/0", kernel)])
    y = sx.load_model(path).predict(x, verbose=0)
    a = np.maximum(x @ kernel, 0)
    total = a @ kernel + x
    expected = {"s": total} if isinstance(outputs, dict) else total
    if isinstance(outputs, list) and len(outputs) == 2:
        expected = [a, total]
    found = y[0] if isinstance(y, list) and len(y) == 1 else y
    for have, want in zip(listed(found), listed(expected), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5)


def listed(value) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def test_layer_that_waits_for_itself_is_found(path):
    first = entry("InputLayer", [], batch_shape=[None, 3], dtype="float32", name="x")
    loop = [
        entry("Activation", tensor("b"), name="a", activation="relu"),
        entry("Activation", tensor("a"), name="b", activation="relu"),
    ]
    write(path, functional(first, *loop, inputs=["x", 0, 0], outputs=["b", 0, 0]))
    with pytest.raises(ModelFileError, match=r"wait for inputs that nothing gives: \['a', 'b'\]"):
        sx.load_model(path)


def test_call_with_arguments_beyond_the_inputs_is_refused(path):
    first = entry("InputLayer", [], batch_shape=[None, 3], dtype="float32", name="x")
    act = entry("Activation", tensor("x"), name="a", activation="relu")
    for keywords, fits in (({"mask": None, "training": False}, True), ({"scale": 2}, False)):
        act["inbound_nodes"][0]["kwargs"] = keywords
        write(path, functional(first, act, inputs=["x", 0, 0], outputs=["a", 0, 0]))
        if fits:
            assert sx.load_model(path)(-np.ones((1, 3))).tolist() == [[0.0, 0.0, 0.0]]
        else:
            with pytest.raises(ModelFileError, match=r"Layer 'a'.*unknown arguments: \['scale'\]"):
                sx.load_model(path)


def test_further_arguments_and_structures_of_a_call_are_taken_over(path):
    inputs = [
        entry("InputLayer", [], batch_shape=shape, dtype="float32", name=name)
        for name, shape in (("x", [None, 5, 3]), ("h", [None, 2]), ("c", [None, 2]))
    ]
    lstm = entry("LSTM", [], name="lstm", units=2)
    ends = [[name, 0, 0] for name in ("x", "h", "c")]
    rng = np.random.default_rng(0)
    data = [rng.normal(size=size).astype("f") for size in ((4, 5, 3), (4, 2), (4, 2))]
    weights = [rng.normal(size=size).astype("f") for size in ((3, 8), (2, 8), (8,))]
    for args, keywords in (
        ([tensor("x"), [tensor("h"), tensor("c")]], {}),
        ([tensor("x")], {"initial_state": [tensor("h"), tensor("c")], "mask": None}),
    ):
        lstm["inbound_nodes"] = [{"args": args, "kwargs": keywords}]
        config = functional(*inputs, lstm, inputs=ends, outputs=["lstm", 0, 0])
        write(path, config, [(f"layers/lstm/cell/vars/{i}", w) for i, w in enumerate(weights)])
        model = sx.load_model(path)
        x, *states = data
        expected = model.get_layer("lstm")(x, initial_state=states)
        np.testing.assert_allclose(model(data), expected, rtol=1e-6)


def test_nodes_as_keras_2_wrote_them(path):
    first = entry("InputLayer", batch_input_shape=[None, 3], dtype="float32", name="x")
    act = entry("Activation", name="a", activation="relu")
    add = entry("Add", name="sum")
    first["inbound_nodes"], act["inbound_nodes"] = [], [[["x", 0, 0, {}]]]
    add["inbound_nodes"] = [[["a", 0, 0, {}], ["x", 0, 0, {}]]]
    write(path, functional(first, act, add, inputs=[["x", 0, 0]], outputs=["sum", 0, 0]))
    assert sx.load_model(path)([[1.0, -1.0, 0.0]]).tolist() == [[2.0, -1.0, 0.0]]


def test_file_that_is_no_model_is_refused(path):
    write(path, entry("Dense", name="d", units=1))
    with pytest.raises(ModelFileError, match="holds a Dense, not a model"):
        sx.load_model(path)


def test_sparse_input_is_refused(path):
    config = sequential()
    config["config"]["layers"][0]["config"]["sparse"] = True
    write(path, config)
    with pytest.raises(ModelFileError, match="Input 'input_layer' is sparse"):
        sx.load_model(path)


def test_compile_is_asked_for_first(path):
    write(path, sequential(entry("Flatten", name="f")))
    with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
        sx.load_model(path).fit(np.ones((1, 3)), np.ones((1, 3)))


def test_no_known_layer_is_one_that_holds_code():
    assert "TorchModuleWrapper" not in KNOWN
