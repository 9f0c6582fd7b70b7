"""Layers called on tensors make a graph; `Model(inputs, outputs)` is any part of it."""

from __future__ import annotations

import re

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.symbolic import LayerCall, calls_between

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(6, 3)).astype(np.float32), RNG.normal(size=(6, 2)).astype(np.float32)


def two_towers() -> keras.Model:
    """Two inputs, a layer for each, joined; outputs before and after the head."""
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    left = layers.Dense(4, activation="relu", name="left")(a)
    right = layers.Dense(4, name="right")(b)
    joined = layers.Concatenate(name="joined")([left, right])
    return keras.Model([a, b], layers.Dense(1, name="head")(joined), name="towers")


def residual() -> keras.Model:
    x = keras.Input((4,))
    y = layers.Dense(4, activation="relu", name="inner")(x)
    y = layers.Add(name="sum")([x, y])
    return keras.Model(x, layers.Dense(2, name="head")(y), name="residual")


def by_hand(model: keras.Model, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The towers in NumPy."""
    (wl, bl, wr, br, wh, bh) = model.get_weights()
    joined = np.concatenate([np.maximum(a @ wl + bl, 0), b @ wr + br], axis=1)
    return joined @ wh + bh


def test_model_of_two_inputs_computes_its_definition():
    model = two_towers()
    expected = by_hand(model, X, Z)
    for found in (
        model([X, Z]),
        model((X, Z)),
        model({"b": Z, "a": X}),
        model.predict([X, Z], verbose=0, batch_size=4),
        model.predict({"a": X, "b": Z}, verbose=0),
        model.predict_on_batch([X, Z]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert [tensor.name for tensor in model.inputs] == ["a", "b"]
    assert model.input_shape == [(None, 3), (None, 2)]
    assert model.output_shape == (None, 1)


def test_inputs_and_outputs_come_in_any_structure():
    a, b = keras.Input((3,)), keras.Input((2,))
    left, right = layers.Dense(2)(a), layers.Dense(2)(b)
    model = keras.Model({"first": a, "second": b}, {"l": left, "r": right})
    named = model({"second": Z, "first": X})
    assert list(named) == ["l", "r"]
    listed = keras.Model((a, b), (left, right))([X, Z])
    assert isinstance(listed, list)
    alone = keras.Model([a], left)(X)
    for found, expected in ((named["l"], listed[0]), (named["r"], listed[1]), (alone, listed[0])):
        np.testing.assert_array_equal(found, expected)
    predicted = model.predict({"first": X, "second": Z}, verbose=0)
    np.testing.assert_array_equal(predicted["r"], listed[1])
    assert set(model.output) == {"l", "r"}


def test_dict_and_list_must_fit_the_inputs():
    model = two_towers()
    text = "must name the inputs of model 'towers', which are ['a', 'b']. Received keys: ['a', 'c']"
    with pytest.raises(ValueError, match=re.escape(text)):
        model({"a": X, "c": Z})
    with pytest.raises(ValueError, match="The model has 2 inputs"):
        model([X])
    with pytest.raises(ValueError, match="The model has 2 inputs"):
        model.predict(X, verbose=0)
    with pytest.raises(ValueError, match=re.escape("expected axis -1 of input shape to have")):
        model([X, X])
    tensor = keras.Input((3,))
    with pytest.raises(ValueError, match=re.escape("expects 2 input(s), but it received 1")):
        model(tensor)


def test_model_trains_on_several_inputs():
    model = two_towers()
    model.compile("adam", "mse", metrics=["mae"])
    y = RNG.normal(size=(6, 1)).astype(np.float32)
    first = model.evaluate([X, Z], y, verbose=0)[0]
    np.testing.assert_allclose(first, ((by_hand(model, X, Z) - y) ** 2).mean(), rtol=1e-5)
    history = model.fit(
        [X, Z], y, batch_size=2, epochs=20, verbose=0, validation_data=({"a": X, "b": Z}, y)
    )
    assert history.history["loss"][-1] < first
    np.testing.assert_allclose(
        history.history["val_loss"][-1], ((by_hand(model, X, Z) - y) ** 2).mean(), rtol=1e-4
    )
    model.fit({"a": X, "b": Z}, y, validation_split=0.5, verbose=0)
    model.train_on_batch([X, Z], y)
    assert model.test_on_batch([X, Z], y, return_dict=True).keys() == {"loss", "mae"}


def test_generators_may_yield_dicts_and_lists():
    y = RNG.normal(size=(6, 1)).astype(np.float32)
    weights = []
    for part in ({"b": Z, "a": X}, [X, Z], (X, Z)):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(0)
        model = two_towers()
        model.compile("adam", "mse")
        model.fit(iter([(part, y)] * 3), verbose=0, steps_per_epoch=3)
        weights.append(model.get_weights())
        found = model.predict(iter([(part,)]), verbose=0, steps=1)
        np.testing.assert_allclose(found, by_hand(model, X, Z), rtol=1e-4, atol=1e-5)
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=re.escape("which are ['a', 'b']. Received keys: ['a']")):
        model.predict(iter([({"a": X},)]), verbose=0, steps=1)


def test_training_equals_that_of_a_stack_where_the_graph_is_one():
    stack = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    x = keras.Input((3,))
    inner = layers.Dense(4, "tanh")
    head = layers.Dense(1)
    graph = keras.Model(x, head(inner(x)))
    graph.set_weights(stack.get_weights())
    y = RNG.normal(size=(6, 1))
    for model in (stack, graph):
        model.compile("adam", "mse")
        model.fit(X, y, epochs=3, batch_size=3, shuffle=False, verbose=0)
    for a, b in zip(stack.get_weights(), graph.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_shared_layer_has_its_weights_once_and_two_calls():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(2, name="shared")
    first, second = shared(a), shared(b)
    model = keras.Model([a, b], layers.Subtract(name="difference")([first, second]))
    assert shared.output is first
    assert shared.input is a
    assert [layer.name for layer in model.layers] == ["a", "b", "shared", "difference"]
    assert len(model.weights) == 2
    assert model.count_params() == 8
    assert [call.index for call, _ in model._calls_inside] == [0, 1, 0]
    kernel = shared.get_weights()[0]
    np.testing.assert_allclose(model([X, 2 * X]), -X @ kernel, rtol=1e-4, atol=1e-5)
    assert [node.op_type for node in model.to_onnx().graph.node].count("Sub") == 1
    names = {tensor.name for tensor in model.to_onnx().graph.initializer}
    assert {name for name in names if "kernel" in name} == {"shared/kernel"}


def test_gradient_of_a_shared_layer_is_the_sum_of_its_calls():
    a = keras.Input((1,))
    shared = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Model(a, shared(shared(a)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
    # y = w²; the loss w⁴ falls along 4 w³.
    np.testing.assert_allclose(shared.get_weights()[0], [[1 - 0.1 * 4]], rtol=1e-6)


def test_layers_are_listed_in_the_order_of_keras():
    """By depth, then in the order met on the way back: the side branch comes in where it is due."""
    x = keras.Input((8, 8, 2), name="x")
    side = layers.Conv2D(3, 1, strides=2, padding="same", name="side")(x)
    side = layers.BatchNormalization(name="side_bn")(side)
    y = layers.Conv2D(3, 3, padding="same", name="conv")(x)
    y = layers.BatchNormalization(name="bn")(y)
    y = layers.MaxPooling2D(3, 2, "same", name="pool")(y)
    model = keras.Model(x, layers.Add(name="add")([y, side]))
    assert [layer.name for layer in model.layers] == [
        *("x", "conv", "bn", "side", "pool", "side_bn", "add")
    ]
    assert [w.path.split("/")[0] for w in model.weights] == [
        *(["conv"] * 2 + ["bn"] * 4 + ["side"] * 2 + ["side_bn"] * 4)
    ]


def test_model_is_cut_at_either_end_and_shares_the_weights():
    whole = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.ReLU(), layers.Dense(2)])
    upper = keras.Model(whole.layers[1].output, whole.outputs[0])
    lower = keras.Model(whole.inputs, whole.layers[1].output)
    np.testing.assert_allclose(upper(lower(X)), whole(X), rtol=1e-6, atol=1e-6)
    assert upper.weights[0] is whole.weights[2]
    inner = two_towers()
    head = keras.Model(inner.get_layer("joined").output, inner.output)
    assert head.input_shape == (None, 8)
    with pytest.raises(ValueError, match="Graph disconnected: `outputs` depend on the input"):
        keras.Model(inner.get_layer("left").output, inner.output)
    both = keras.Model([inner.get_layer(n).output for n in ("left", "right")], inner.output)
    parts = keras.Model(inner.inputs, both.inputs)([X, Z])
    np.testing.assert_allclose(both(parts), inner([X, Z]), rtol=1e-6, atol=1e-6)


def test_all_features_of_a_graph_come_as_a_list():
    model = residual()
    features = keras.Model(model.inputs, [layer.output for layer in model.layers])
    x = RNG.normal(size=(2, 4)).astype(np.float32)
    found = features(x)
    assert isinstance(found, list)
    np.testing.assert_array_equal(found[0], x)
    np.testing.assert_allclose(found[2], x + found[1], rtol=1e-6)
    np.testing.assert_allclose(found[3], model(x), rtol=1e-6)


def test_exported_graph_of_several_inputs_and_outputs_runs_anywhere(tmp_path):
    model = two_towers()
    named = keras.Model(
        model.inputs, {"y": model.output, "joined": model.get_layer("joined").output}
    )
    named.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert [i.name for i in session.get_inputs()] == ["a", "b"]
    assert [o.name for o in session.get_outputs()] == ["joined", "y"]  # by key, as in Keras
    for batch in (1, 6):
        _, y = session.run(None, {"a": X[:batch], "b": Z[:batch]})
        np.testing.assert_allclose(y, by_hand(model, X[:batch], Z[:batch]), rtol=1e-5, atol=1e-6)


def test_unused_input_is_taken_and_does_nothing():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], layers.Dense(1)(a))
    np.testing.assert_array_equal(model([X, Z]), model([X, 0 * Z]))
    assert {layer.name for layer in model.layers} == {"a", "b", "dense"}


def test_graphs_that_cannot_be_are_refused():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    joined = layers.Add()([a, b])
    with pytest.raises(ValueError, match=r"Graph disconnected: .* depend on the input .*name=b"):
        keras.Model(a, joined)
    with pytest.raises(ValueError, match="contains the same input multiple times"):
        keras.Model([a, a], joined)
    other = layers.Dense(1, name="same")(layers.Dense(1, name="same")(a))
    with pytest.raises(ValueError, match='The name "same" is used 2 times in the model'):
        keras.Model(a, other)
    with pytest.raises(ValueError, match="must be symbolic tensors"):
        keras.Model([a, b], np.zeros(3))
    with pytest.raises(ValueError, match="must be symbolic tensors"):
        keras.Model(a, [[layers.Dense(1)(a)]])


def test_a_tensor_that_depends_on_itself_is_refused():
    a = keras.Input((3,))
    dense = layers.Dense(3, name="loop")
    y = dense(a)
    y._call = LayerCall(dense, (layers.ReLU()(y),), 0)
    with pytest.raises(ValueError, match=r"Graph has a cycle: .*layer '(loop|re_lu)'"):
        calls_between([a], [y])


def test_a_model_cannot_hold_itself():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)], name="me")
    with pytest.raises(ValueError, match="Model 'me' cannot contain itself"):
        model.add(model)
    outer = keras.Sequential([keras.Input((3,)), model], name="outer")
    with pytest.raises(ValueError, match="Model 'me' cannot contain itself"):
        model.add(outer)
    assert len(model.layers) == 1
    empty = keras.Sequential(name="empty")
    with pytest.raises(ValueError, match="Model 'empty' cannot contain itself"):
        empty.add(empty)


def test_a_stack_takes_layers_of_one_input_and_one_output():
    x = keras.Input((3,))
    forked = keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)], name="fork")
    with pytest.raises(ValueError, match="should have a single output tensor"):
        keras.Sequential([keras.Input((3,)), forked])
    with pytest.raises(ValueError, match=re.escape("'towers' expects 2 input(s), but it received")):
        keras.Sequential([keras.Input((3,)), two_towers()])


def test_training_mode_may_be_closed_for_one_call():
    x = keras.Input((3,))
    drop = layers.Dropout(0.5, name="drop")
    norm = layers.BatchNormalization(name="norm")
    model = keras.Model(x, norm(drop(x, training=False), training=False))
    np.testing.assert_array_equal(model(X, training=True), model(X))
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.zeros(3))
    assert np.any(norm.gamma.numpy() != 1)
    with pytest.raises(ValueError, match="cannot be called on symbolic tensors with `training=Tr"):
        drop(x, training=True)


def test_summary_says_what_a_layer_is_connected_to():
    texts: list[str] = []
    two_towers().summary(print_fn=texts.append, line_length=140)
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in texts[0].splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        ["a (InputLayer)", "(None, 3)", "0", "-"],
        ["b (InputLayer)", "(None, 2)", "0", "-"],
        ["left (Dense)", "(None, 4)", "16", "a[0][0]"],
        ["right (Dense)", "(None, 4)", "12", "b[0][0]"],
        ["joined (Concatenate)", "(None, 8)", "0", "left[0][0], right[0][0]"],
        ["head (Dense)", "(None, 1)", "9", "joined[0][0]"],
    ]
    assert " Total params: 37 (148.00 B)" in texts[0]


def test_summary_of_a_chain_has_three_columns_and_the_input_row():
    texts: list[str] = []
    stack = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    keras.Model(stack.inputs, stack.outputs).summary(print_fn=texts.append)
    assert "Connected to" not in texts[0]
    assert "input_layer (InputLayer)" in texts[0]


def test_shared_layer_shows_both_calls_in_the_summary():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(2, name="shared")
    texts: list[str] = []
    keras.Model([a, b], layers.Add()([shared(a), shared(b)])).summary(print_fn=texts.append)
    row = next(line for line in texts[0].splitlines() if "shared (Dense)" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        *("shared (Dense)", "(None, 2)", "8", "a[0][0], b[0][0]")
    ]
    add = next(line for line in texts[0].splitlines() if "add (Add)" in line)
    assert "shared[0][0]" in add


@pytest.mark.parametrize("wrap", [lambda y: [y], lambda y: (y,)])
def test_one_output_in_a_list_comes_bare(wrap):
    """As in Keras 3.15.1: only a dict keeps its one output inside."""
    x = keras.Input((3,))
    y = layers.Dense(2, name="out")(x)
    data = np.ones((4, 3), np.float32)
    model = keras.Model(x, wrap(y))
    for result in (model.predict(data, verbose=0), model.predict_on_batch(data), model(data)):
        assert isinstance(result, np.ndarray)
        assert result.shape == (4, 2)
    assert model(keras.Input((3,))).shape == (None, 2)
    assert list(keras.Model(x, {"a": y}).predict(data, verbose=0)) == ["a"]
