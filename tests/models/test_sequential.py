"""A Sequential is built, changed and asked about as in Keras; texts follow Keras too."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers


def exactly(text: str) -> str:
    """A pattern for a whole error text."""
    import re

    return f"^{re.escape(text)}$"


def test_input_builds_the_model_at_every_add():
    model = keras.Sequential()
    model.add(keras.Input((4,)))
    assert not model.built
    model.add(layers.Dense(2))
    assert model.built
    assert model.output_shape == (None, 2)
    first = model.get_weights()
    model.add(layers.Dense(3))
    assert model.output_shape == (None, 3)
    assert [w.shape for w in model.weights] == [(4, 2), (2,), (2, 3), (3,)]
    for before, after in zip(first, model.get_weights()[:2], strict=True):
        np.testing.assert_array_equal(before, after)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]


def test_weights_appear_with_the_first_data_and_the_batch_size_seen_stays_visible():
    model = keras.Sequential([layers.Dense(2), layers.Dense(3)])
    assert not model.built
    text = (
        "Weights for model 'sequential' have not yet been created. Weights are created when the "
        "model is first called on inputs or `build()` is called with an `input_shape`."
    )
    for attribute in ("weights", "trainable_weights", "non_trainable_weights"):
        with pytest.raises(ValueError, match=exactly(text)):
            getattr(model, attribute)
    with pytest.raises(ValueError, match=exactly(text)):
        model.get_weights()
    tables = []
    model.summary(print_fn=tables.append)
    assert tables[0].count("0 (unbuilt)") == 2
    assert model(np.ones((1, 4), np.float32)).shape == (1, 3)
    assert model.input_shape == (1, 4)
    assert model.output_shape == (1, 3)
    assert model(np.ones((7, 4), np.float32)).shape == (7, 3)
    assert len(model.weights) == 4


def test_fit_and_predict_on_an_unbuilt_model_leave_the_batch_open():
    model = keras.Sequential([layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((5, 3)), np.ones((5, 2)), verbose=0)
    assert model.input_shape == (None, 3)
    other = keras.Sequential([layers.Dense(2)])
    assert other.predict(np.ones((5, 3)), verbose=0).shape == (5, 2)
    assert other.input_shape == (None, 3)


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        ("inputs", "inputs"),
        ("outputs", "outputs"),
        ("input", "inputs"),
        ("output", "outputs"),
        ("input_shape", "input shape"),
        ("output_shape", "output shape"),
    ],
)
def test_unbuilt_model_lacks_what_its_input_would_define(attribute, what):
    model = keras.Sequential([layers.Dense(2)], name="seq")
    with pytest.raises(
        AttributeError, match=exactly(f"Sequential model 'seq' has no defined {what} yet.")
    ):
        getattr(model, attribute)
    assert not hasattr(model, attribute)


def test_input_shape_on_the_first_layer_builds_and_warns():
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`/`input_dim` argument"):
        model = keras.Sequential([layers.Dense(2, input_shape=(4,)), layers.Dense(1)])
    assert model.input_shape == (None, 4)
    assert model.count_params() == 13


def test_build_takes_a_shape_once():
    model = keras.Sequential([layers.Dense(2)], name="seq")
    model.build((None, 3))
    assert model.input_shape == (None, 3)
    model.build((None, 3))
    with pytest.raises(
        ValueError,
        match=exactly(
            "Sequential model 'seq' has already been configured to use input shape (None, 3). "
            "You cannot build it with input_shape (None, 4)"
        ),
    ):
        model.build((None, 4))
    with pytest.raises(
        ValueError,
        match=exactly(
            "Sequential model empty cannot be built because it has no layers. "
            "Call `model.add(layer)`."
        ),
    ):
        keras.Sequential(name="empty").build((None, 4))


def test_pop_returns_the_layer_with_its_weights_and_empties_cleanly():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Dense(3)])
    kernel = model.layers[1].get_weights()[0]
    top = model.pop()
    np.testing.assert_array_equal(top.get_weights()[0], kernel)
    assert model.output_shape == (None, 2)
    assert model(np.ones((1, 4))).shape == (1, 2)
    model.pop()
    assert model.layers == []
    with pytest.raises(TypeError, match=exactly("There are no layers in the model.")):
        model.pop()
    model.add(layers.Dense(5))
    assert model.output_shape == (None, 5)


def test_what_cannot_be_added():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="d")], name="seq")
    with pytest.raises(ValueError, match=r"Only instances of `keras.Layer` can be added"):
        model.add("dense")
    with pytest.raises(
        ValueError,
        match=r"All layers added to a Sequential model should have unique names. Name 'd' is",
    ):
        model.add(layers.Dense(2, name="d"))
    with pytest.raises(
        ValueError,
        match=exactly(
            "Sequential model 'seq' has already been configured to use input shape (None, 3). "
            "You cannot add a different Input layer to it."
        ),
    ):
        model.add(keras.Input((3,)))

    class Two(keras.Layer):
        def call(self, op, x, y, training):
            return op.Add(x, y)

    with pytest.raises(ValueError, match=r"Layer Two has multiple required .*\['x', 'y'\]"):
        model.add(Two())
    assert [layer.name for layer in model.layers] == ["d"]
    assert model.output_shape == (None, 2)


def test_a_layer_that_does_not_fit_leaves_the_model_as_it_was():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="expected min_ndim=4, found ndim=2"):
        model.add(layers.Conv2D(2, 3))
    assert len(model.layers) == 1
    assert model(np.ones((1, 3))).shape == (1, 2)


def test_names_count_up_and_a_given_name_does_not_move_the_counter():
    assert layers.Dense(1).name == "dense"
    assert layers.Dense(1, name="dense_1").name == "dense_1"
    assert layers.Dense(1).name == "dense_1"
    assert keras.Sequential().name == "sequential"
    assert keras.Sequential().name == "sequential_1"
    assert keras.Sequential(name="mine").name == "mine"
    keras.clear_session(free_memory=False)
    assert keras.Sequential().name == "sequential"
    with pytest.raises(ValueError, match=r"cannot contain character `/`. Received: name=a/b"):
        keras.Sequential(name="a/b")


def test_same_layer_twice_shares_its_weights():
    shared = layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), shared, shared])
    assert len(model.weights) == 2
    assert model.count_params() == 12
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(model(x), shared(shared(x)), rtol=1e-6)


def test_layers_called_one_by_one_equal_the_model():
    model = keras.Sequential(
        [layers.Dense(2, activation="relu"), layers.Dense(3, activation="relu"), layers.Dense(4)]
    )
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    one, two, three = model.layers
    np.testing.assert_allclose(three(two(one(x))), model(x), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model(x))


def test_tensors_of_model_and_layers_are_one_graph():
    model = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(2), layers.Dense(3)])
    assert model.outputs[0] is model.layers[-1].output
    assert model.layers[1].input is model.layers[0].output
    assert model.inputs[0] is model.layers[0].input
    assert model.input is model.inputs[0]
    assert model.output is model.outputs[0]
    assert repr(model.input) == (
        "<KerasTensor shape=(None, 4), dtype=float32, sparse=False, ragged=False, name=x>"
    )
    with pytest.raises(AttributeError, match="has never been called and thus has no defined input"):
        _ = layers.Dense(2).input


def test_get_layer_by_name_and_index():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="a")])
    assert model.get_layer("a") is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[0]
    for arguments, text in (
        ({"name": "zz"}, "No such layer: zz. Existing layers are: ['a']."),
        ({"index": 4}, "Was asked to retrieve layer at index 4 but model only has 1 layers."),
        ({}, "Provide either a layer name or layer index at `get_layer`."),
        (
            {"name": "a", "index": 0},
            "Provide only a layer name or a layer index. Received: index=0, name=a.",
        ),
    ):
        with pytest.raises(ValueError, match=exactly(text)):
            model.get_layer(**arguments)


def test_set_weights_changes_all_or_nothing():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)], name="s")
    before = model.get_weights()
    with pytest.raises(
        ValueError,
        match=exactly(
            "You called `set_weights(weights)` on layer 's' with a weight list of length 1, but "
            "the layer was expecting 2 weights."
        ),
    ):
        model.set_weights([np.zeros((3, 1))])
    with pytest.raises(
        ValueError,
        match=exactly(
            "Layer s weight shape (1,) is not compatible with provided weight shape (2,)."
        ),
    ):
        model.set_weights([np.zeros((3, 1)), np.zeros(2)])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.set_weights([np.ones((3, 1)), np.full(1, 2.0)])
    np.testing.assert_array_equal(model(np.ones((1, 3))), [[5.0]])


def test_get_weights_gives_copies():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.get_weights()[0][...] = 7.0
    assert not np.any(model.get_weights()[0] == 7.0)


def test_count_params_needs_a_built_model():
    model = keras.Sequential([layers.Dense(2)])
    with pytest.raises(
        ValueError,
        match="You tried to call `count_params` on layer 'sequential', but the layer isn't built",
    ):
        model.count_params()


def test_layers_cannot_be_set_and_a_model_is_no_list():
    model = keras.Sequential([layers.Dense(2)])
    with pytest.raises(AttributeError, match=r"`Sequential.layers` attribute is reserved"):
        model.layers = []
    for use in (len, iter, lambda m: m[0]):
        with pytest.raises(TypeError):
            use(model)


def test_repr_of_a_model_is_the_tree_of_its_layers():
    inner = keras.Sequential([layers.Dense(2, name="first")], name="inner")
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.ReLU(name="last")(inner(x)), name="outer")
    assert repr(model).splitlines() == [
        "<Model name=outer, built=True>",
        "    <InputLayer name=x, built=True>",
        "    <Sequential name=inner, built=True>",
        "        <Dense name=first, built=True>",
        "    <ReLU name=last, built=True>",
    ]
    assert repr(keras.Sequential(name="empty")) == "<Sequential name=empty, built=False>"


def test_input_takes_an_int_and_refuses_nothing_and_both():
    assert keras.Input(shape=(784)).shape == (None, 784)
    with pytest.raises(ValueError, match=r"You must pass a `shape` argument."):
        keras.Input()
    with pytest.raises(ValueError, match="You cannot pass both `shape` and `batch_shape`"):
        keras.Input(shape=(2,), batch_shape=(1, 2))


def test_users_own_layer_is_built_called_and_trained():
    class Scale(keras.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

        def call(self, op, x, training):
            return op.Mul(x, self.factor)

    model = keras.Sequential([keras.Input((2,)), Scale()])
    assert model.layers[0].name == "scale"
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    model.fit(x, x * [2.0, -1.0], epochs=60, batch_size=16, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [2.0, -1.0], atol=1e-3)
