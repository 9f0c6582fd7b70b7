"""A saved and loaded model goes on as if it had not stopped."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers, optimizers
from seqonnx.errors import ModelFileError


def make_model(optimizer: object = "adam") -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2), name="image"),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.Flatten(),
            layers.Dense(4, kernel_constraint=keras.constraints.MaxNorm(2.0)),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ],
        name="net",
    )
    model.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(ignore_class=-1), ["accuracy"],
        weighted_metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")],
    )  # fmt: skip
    return model


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(22, 6, 6, 2))


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, 22)


def assert_same(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: "adam",
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: optimizers.AdamW(0.01, global_clipnorm=1.0),
        lambda: optimizers.RMSprop(optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)),
    ],
    ids=["adam", "sgd", "adamw", "schedule"],
)
def test_training_goes_on_bit_for_bit(tmp_path, x, y, optimizer):
    whole = make_model(optimizer())
    keras.set_random_seed(3)
    history = whole.fit(x, y, batch_size=8, epochs=3, verbose=0).history
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    model = make_model(optimizer())
    keras.set_random_seed(3)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / "m.onnx")
    keras.set_random_seed(99)
    loaded = keras.load_model(tmp_path / "m.onnx")
    assert loaded.optimizer.iterations == 6
    assert_same(loaded.get_weights(), model.get_weights())
    for one in (loaded, model):
        last = one.fit(x, y, batch_size=8, epochs=3, initial_epoch=2, verbose=0).history
        assert {k: v[0] for k, v in last.items()} == {k: v[2] for k, v in history.items()}
        assert_same(one.get_weights(), whole.get_weights())


def test_loaded_model_is_the_model(tmp_path, x, y):
    model = make_model()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", ["acc"])
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = 0.125
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    assert loaded.get_config() == model.get_config()
    assert [w.path for w in loaded.weights] == [w.path for w in model.weights]
    assert loaded.metrics_names == ["loss", "acc"]
    assert loaded.optimizer.learning_rate == 0.125
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    assert loaded.inputs[0].name == "image"
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("recompute", [True, ["hidden", "out"]], ids=["all", "named"])
def test_how_to_run_comes_back(tmp_path, recompute):
    net = [layers.Dense(3, name="hidden"), layers.ReLU(), layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((4,)), *net])
    model.compile("sgd", "mse", steps_per_execution=3, autotune=True, recompute=recompute)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")._sessions.compilation
    assert (loaded.steps_per_execution, loaded.autotune) == (3, True)
    assert loaded.recompute == (recompute if recompute is True else tuple(recompute))


def test_a_file_that_does_not_say_how_to_run_has_the_defaults(tmp_path):
    model = make_model()
    model.save(tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    graph = proto.training_info[0].algorithm
    record = json.loads(graph.doc_string)
    for key in ("steps_per_execution", "autotune", "recompute"):
        del record["training"][key]
    graph.doc_string = json.dumps(record)
    onnx.save(proto, tmp_path / "old.onnx")
    loaded = keras.load_model(tmp_path / "old.onnx")._sessions.compilation
    assert (loaded.steps_per_execution, loaded.autotune, loaded.recompute) == (1, False, False)


def test_saved_file_is_an_inference_model_for_everyone_else(tmp_path, x, y):
    model = make_model()
    model.fit(x, y, verbose=0)
    path = tmp_path / "m.onnx"
    model.save(path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    (got,) = onnxruntime.InferenceSession(path).run(None, {"image": x.astype(np.float32)})
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=1e-5)


def test_model_that_was_not_compiled_or_never_trained(tmp_path, x, y):
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    plain.save(tmp_path / "p.onnx")
    loaded = keras.load_model(tmp_path / "p.onnx")
    assert not loaded.compiled
    assert_same(loaded.get_weights(), plain.get_weights())
    model = make_model()
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    for one in (model, loaded):
        one.fit(x, y, verbose=0)
    assert_same(model.get_weights(), loaded.get_weights())
    with pytest.raises(ValueError, match="has not yet been built, so there is nothing to save"):
        keras.Sequential([layers.Dense(1)]).save(tmp_path / "n.onnx")


def test_square_kernels_come_back_the_right_way_round(tmp_path):
    # A pass may store a square kernel transposed in the inference graph: same shape, other values.
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Dense(3),
            layers.Conv2D(3, 3, padding="same"),
            layers.Dense(3),
            layers.Flatten(),
            layers.Dense(48),
        ]
    )
    model.save(tmp_path / "m.onnx")
    assert_same(keras.load_model(tmp_path / "m.onnx").get_weights(), model.get_weights())


class Scale(keras.Layer):
    """A layer of one's own with an argument of its own."""

    def __init__(self, by: float = 1.0, **options: object) -> None:
        super().__init__(**options)
        self.by = by

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

    def call(self, op, x, training):
        return op.Mul(op.Mul(x, self.factor), self.by)

    def get_config(self):
        return super().get_config() | {"by": self.by}


def squared(op, y_true, y_pred):
    difference = op.Sub(y_true, y_pred)
    return op.ReduceMean(op.Mul(difference, difference), [-1], keepdims=0)


def decaying(step: int) -> float:
    return 0.1 / (1 + step)


class Half(optimizers.SGD):
    """An optimizer of one's own."""


class Net(keras.Sequential):
    """A model class of one's own."""


def test_what_is_ones_own_comes_back_through_custom_objects(tmp_path):
    inner = keras.Sequential([keras.Input((2,)), Scale(3.0)], name="inner")
    model = Net([inner, Scale(2.0)], name="net")
    model.compile(Half(decaying), squared, [squared, "mae"])
    x, y = np.ones((4, 2)), np.zeros((4, 2))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.onnx")
    objects = {
        "Scale": Scale, "squared": squared, "decaying": decaying, "Half": Half, "Net": Net,
    }  # fmt: skip
    loaded = keras.load_model(tmp_path / "m.onnx", custom_objects=objects)
    assert type(loaded) is Net
    assert type(loaded.optimizer) is Half
    assert loaded.layers[1].by == 2.0
    for one in (model, loaded):
        one.fit(x, y, verbose=0)
    assert_same(model.get_weights(), loaded.get_weights())
    for name, text in (
        ("Scale", "Could not locate class 'Scale'. A layer of one's own must be passed in"),
        ("squared", "The model was compiled with the function 'squared': pass it in"),
        ("Half", "Could not interpret optimizer identifier"),
        ("Net", "holds a model of class Net, which is not known. Pass the class in"),
    ):
        fewer = {key: value for key, value in objects.items() if key != name}
        with pytest.raises((ValueError, ModelFileError), match=text):
            keras.load_model(tmp_path / "m.onnx", custom_objects=fewer)


def test_function_without_a_name_cannot_be_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", lambda op, y, p: op.ReduceMean(op.Abs(op.Sub(y, p)), [-1], keepdims=0))
    with pytest.raises(ValueError, match="it has no name to find it by"):
        model.save(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_alone_come_back(tmp_path, x):
    model = make_model()
    model.save_weights(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as stored:
        assert stored["conv2d/kernel"].shape == (3, 3, 2, 4)
    keras.clear_session(free_memory=False)
    keras.set_random_seed(5)
    fresh = make_model()
    fresh.load_weights(tmp_path / "w.npz")
    assert_same(fresh.get_weights(), model.get_weights())
    np.testing.assert_array_equal(fresh(x), model(x))
    again = make_model()  # its layers have other names now
    assert again.layers[0].name == "conv2d_1"
    again.load_weights(tmp_path / "w.npz")
    assert_same(again.get_weights(), model.get_weights())


def test_weights_that_do_not_fit_change_nothing_unless_skipped(tmp_path):
    small = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, name="a"), layers.Dense(2, name="b")], name="small"
    )
    large = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, name="a"), layers.Dense(5, name="b")], name="large"
    )
    small.save_weights(tmp_path / "w.npz")
    before = large.get_weights()
    with pytest.raises(
        ValueError, match=r"A total of 2 weights of model 'large' could not be loaded from .*w.npz"
    ):
        large.load_weights(tmp_path / "w.npz")
    assert_same(before, large.get_weights())
    with pytest.warns(UserWarning, match=r"'b/kernel' has shape \(2, 2\) in the file"):
        large.load_weights(tmp_path / "w.npz", skip_mismatch=True)
    assert_same(large.get_weights()[:2], small.get_weights()[:2])
    assert_same(large.get_weights()[2:], before[2:])


def test_load_weights_refuses_what_it_cannot_read(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ModelFileError, match="File not found"):
        model.load_weights(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match=r"The filename must end in `.npz`"):
        model.save_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="loading weights into a model that has not yet been"):
        keras.Sequential([layers.Dense(2)]).load_weights(tmp_path / "w.npz")
    model.save_weights(tmp_path / "w.npz")
    whole = (tmp_path / "w.npz").read_bytes()
    before = model.get_weights()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2], whole[:-30]):
        (tmp_path / "w.npz").write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"w\.npz"):
            model.load_weights(tmp_path / "w.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "w.npz")
    with pytest.raises(ModelFileError, match=r"w\.npz"):
        model.load_weights(tmp_path / "w.npz")
    np.savez(tmp_path / "w.npz", **{"dense/kernel": np.full((3, 2), "a"), "dense/bias": [1, 2]})
    with pytest.raises(ValueError, match="'dense/kernel'"):
        model.load_weights(tmp_path / "w.npz")
    assert_same(before, model.get_weights())


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    class Odd(keras.Layer):
        def call(self, op, x, training):
            return op.Neg(x)

        def get_config(self):
            return super().get_config() | {"kind": type(self)}

    model = keras.Sequential([keras.Input((2,)), Odd(name="odd")])
    with pytest.raises(ValueError, match=r"`kind` of 'odd' in its configuration is <class"):
        model.save(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_unknown_ending_is_refused(tmp_path):
    model = make_model()
    with pytest.raises(ValueError, match="Invalid filepath extension"):
        model.save(tmp_path / "m.pb")
