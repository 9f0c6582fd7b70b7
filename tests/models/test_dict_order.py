"""Models of dicts list layers, weights and losses by the sorted keys, as Keras 3.15.1 does.

What Keras gives was recorded with the same program.
"""

from __future__ import annotations

import json
from collections import OrderedDict

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import layers

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
TARGETS = {"z": np.ones((8, 3), "float32"), "c": np.ones((8, 2), "float32")}


def graph(outputs=dict, inputs=dict):
    """Outputs and inputs whose keys come in another order than the sorted one."""
    a, b = sx.Input((4,), name="a"), sx.Input((4,), name="b")
    left, right = layers.Dense(3, name="left")(b), layers.Dense(4, name="right")(b)
    shared = layers.Dense(3, name="shared")
    total = layers.Add(name="add")([shared(a), shared(right), left])
    both = layers.Concatenate(name="both")([left, right])
    made = sx.Model(inputs([("b", b), ("a", a)]), outputs([("sum", total), ("other", both)]))
    return made, [tensor.name for tensor in made.inputs]


def two_heads():
    x = sx.Input((4,))
    z = layers.Dense(3, name="da", kernel_initializer="ones")(x)
    c = layers.Dense(2, name="db", kernel_initializer="ones")(x)
    return sx.Model(x, {"z": z, "c": c})


def test_layers_and_inputs_follow_the_sorted_keys():
    model, names = graph()
    expected = ["b", "right", "a", "left", "shared", "both", "add"]
    assert [layer.name for layer in model.layers] == expected
    assert names == ["a", "b"]
    assert [weight.path for weight in model.weights][:2] == ["right/kernel", "right/bias"]


def test_ordered_dict_is_walked_through_as_it_is():
    model, names = graph(OrderedDict, OrderedDict)
    expected = ["b", "a", "right", "shared", "left", "add", "both"]
    assert [layer.name for layer in model.layers] == expected
    assert names == ["b", "a"]


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_files_and_copies_keep_the_order(kind, tmp_path):
    model, _ = graph(kind, kind)
    data = {"a": X, "b": X * 2}
    expected = model.predict(data, verbose=0)
    model.save(tmp_path / "m.onnx")
    config = json.loads(json.dumps(model.get_config()))
    copy = sx.Model.from_config(config)
    copy.set_weights(model.get_weights())
    for again in (copy, sx.load_model(tmp_path / "m.onnx")):
        assert [x.path for x in again.weights] == [x.path for x in model.weights]
        assert list(again._structures()[1]) == ["sum", "other"]
        found = again.predict(data, verbose=0)
        for key in ("sum", "other"):
            np.testing.assert_allclose(found[key], expected[key], atol=1e-6)


def test_model_inside_another_takes_its_inputs_by_name(tmp_path):
    pytest.importorskip("h5py", reason="Keras's files hold HDF5 files")
    inner, _ = graph()
    x, y = sx.Input((4,), name="x"), sx.Input((4,), name="y")
    model = sx.Model([x, y], inner({"b": y, "a": x})["sum"])
    expected = inner.predict({"a": X, "b": X * 2}, verbose=0)["sum"]
    for name in ("m.onnx", "m.keras"):
        model.save(tmp_path / name)
        again = sx.load_model(tmp_path / name)
        found = again.predict([X, X * 2], verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lists_of_losses_belong_to_the_sorted_keys_and_evaluate_to_the_dict():
    """Keras gives 5.772 = 1.563 (mae of z) + 4.209 (mse of c) for the same program."""
    model = two_heads()
    model.compile("sgd", loss=["mse", "mae"])
    total = X.sum(1, keepdims=True)
    z, c = np.abs(total - 1).mean(), ((total - 1) ** 2).mean()
    found = model.evaluate(X, TARGETS, verbose=0)
    np.testing.assert_allclose(found, [z + c, z, c], rtol=1e-5)
    history = model.fit(X, TARGETS, validation_data=(X, TARGETS), verbose=0).history
    assert list(history) == ["c_loss", "loss", "val_c_loss", "val_loss", "val_z_loss", "z_loss"]
