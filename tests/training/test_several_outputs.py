"""Models of several outputs: losses, metrics, targets and weights by list and by name.

The values were recorded from Keras 3.15.1 on PyTorch for the same program.
"""

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

rng = np.random.RandomState(0)
X = rng.rand(20, 4).astype("float32")
A = rng.rand(20, 2).astype("float32")
B = rng.randint(0, 3, (20,))
W = rng.rand(20).astype("float32")
V = rng.rand(20).astype("float32")
LABELS = "sparse_categorical_crossentropy"


def make_model(by_key=False):
    constant = keras.initializers.Constant
    x = keras.Input((4,))
    h = layers.Dense(5, activation="tanh", kernel_initializer=constant(0.1))(x)
    a = layers.Dense(2, name="a", kernel_initializer=constant(0.2))(h)
    b = layers.Dense(3, activation="softmax", name="b", kernel_initializer="ones")(h)
    return keras.Model(x, {"q": b, "p": a} if by_key else [a, b])


def fitted(model, y, sample_weight=None, **options):
    return model.fit(
        X,
        y,
        sample_weight=sample_weight,
        epochs=2,
        batch_size=8,
        shuffle=False,
        verbose=0,
        **options,
    ).history


PLAIN = {
    "a_loss": [0.18313, 0.17171],
    "a_mae": [0.35409, 0.34151],
    "b_accuracy": [0.35, 0.4],
    "b_loss": [1.09894, 1.09891],
    "loss": [1.28207, 1.27061],
}
WEIGHTED = {
    "a_loss": [0.12123, 0.11686],
    "a_mae": [0.35507, 0.34751],
    "a_weighted_mae": [0.37662, 0.36929],
    "b_accuracy": [0.35, 0.4],
    "b_loss": [0.5198, 0.51977],
    "b_weighted_accuracy": [0.3361, 0.40148],
    "loss": [0.64103, 0.63662],
}


def assert_history(history, expected):
    assert list(history) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("y", "arguments"),
    [
        ([A, B], {"loss": ["mse", LABELS], "metrics": [["mae"], ["accuracy"]]}),
        ((A, B), {"loss": ("mse", LABELS), "metrics": ["mae", "accuracy"]}),
        (
            {"b": B, "a": A},
            {"loss": {"b": LABELS, "a": "mse"}, "metrics": {"b": "accuracy", "a": ["mae"]}},
        ),
        ([A, B], {"loss": ["mse", "crossentropy"], "metrics": {"b": ["accuracy"], "a": "mae"}}),
    ],
)
def test_history_is_that_of_keras(y, arguments):
    model = make_model()
    model.compile("sgd", **arguments)
    assert_history(fitted(model, y), PLAIN)
    np.testing.assert_allclose(
        model.evaluate(X, y, verbose=0), [1.26232, 0.16377, 1.09854, 0.33328, 0.4], atol=1e-5
    )
    assert model.metrics_names == ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]


@pytest.mark.parametrize("weights", [[W, V], {"a": W, "b": V}])
def test_each_output_has_its_weights(weights):
    model = make_model()
    metrics = [["mae"], ["accuracy"]]
    model.compile("sgd", ["mse", LABELS], metrics, weighted_metrics=metrics)
    assert_history(fitted(model, [A, B], weights), WEIGHTED)


def test_one_array_of_weights_is_for_all_outputs():
    once, each = make_model(), make_model()
    for model, weights in ((once, W), (each, [W, W.copy()])):
        model.compile("sgd", ["mse", LABELS], weighted_metrics=[["mae"], ["accuracy"]])
        model.history = fitted(model, [A, B], weights)
    assert once.history == each.history
    assert all((u == v).all() for u, v in zip(once.get_weights(), each.get_weights(), strict=True))


def test_an_output_without_a_loss_is_measured_and_not_trained():
    model = make_model()
    model.compile("sgd", ["mse", None], metrics={"b": "accuracy"})
    kernel = model.get_layer("b").kernel.numpy()
    history = fitted(model, [A, B])
    assert_history(history, {"b_accuracy": [0.35, 0.35], "loss": [0.18313, 0.1717]})
    assert (model.get_layer("b").kernel.numpy() == kernel).all()
    model.compile("sgd", ["mse", None])
    assert list(fitted(model, [A, None])) == list(fitted(model, [A])) == ["loss"]


def test_logs_of_a_model_that_gives_a_dict_follow_the_dict_of_losses():
    model = make_model(by_key=True)
    y = {"p": A, "q": B}
    model.compile("sgd", {"q": LABELS, "p": "mse"}, {"q": ["accuracy"], "p": "mae"})
    history = fitted(model, y)
    assert list(history) == ["loss", "p_loss", "p_mae", "q_accuracy", "q_loss"]
    assert history["loss"] == pytest.approx(PLAIN["loss"], abs=1e-5)
    expected = [1.26232, 1.09854, 0.16377, 0.33328, 0.4]
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("weights", [[0.5, 2.0], {"b": 2.0, "a": 0.5}, np.array([0.5, 2.0])])
def test_loss_weights_weigh_the_sum_and_not_the_parts(weights):
    model = make_model()
    model.compile("sgd", ["mse", LABELS], loss_weights=weights)
    loss, a, b = model.evaluate(X, [A, B], verbose=0)
    assert loss == pytest.approx(0.5 * a + 2 * b, rel=1e-6)


def test_data_of_every_kind_gives_the_same():
    def batches():
        for start in range(0, 20, 8):
            rows = slice(start, start + 8)
            yield X[rows], {"a": A[rows], "b": B[rows]}

    class Each:
        def __iter__(self):
            return batches()

    expected = None
    for data in (batches, Each):
        model = make_model()
        model.compile("sgd", ["mse", LABELS], [["mae"], ["accuracy"]])
        history = model.fit(data(), epochs=1, verbose=0, validation_data=(X, [A, B])).history
        assert history["a_loss"] == pytest.approx(PLAIN["a_loss"][:1], abs=1e-5)
        assert expected is None or history == expected
        expected = history
    model = make_model()
    model.compile("sgd", ["mse", LABELS], [["mae"], ["accuracy"]], steps_per_execution=2)
    history = fitted(model, [A, B], validation_split=0.2)
    assert "val_b_accuracy" in history


def test_a_model_that_data_builds_takes_several_targets():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(2), layers.Dense(3, activation="softmax")

        def call(self, x):
            return {"first": self.first(x), "second": self.second(x)}

    model = Two()
    model.compile("sgd", {"first": "mse", "second": LABELS})
    history = model.fit(X, {"first": A, "second": B}, verbose=0).history
    assert list(history) == ["first_loss", "loss", "second_loss"]


def test_a_saved_model_goes_on_with_its_losses(tmp_path):
    model, again = make_model(), make_model()
    for each in (model, again):
        each.compile("adam", {"a": "mse", "b": LABELS}, {"b": ["accuracy"]}, loss_weights=[1, 2])
    fitted(model, [A, B])
    fitted(again, [A, B])
    again.save(tmp_path / "two.onnx")
    again = keras.load_model(tmp_path / "two.onnx")
    assert fitted(model, [A, B]) == fitted(again, [A, B])


def test_a_model_without_an_optimizer_measures():
    model = make_model()
    model.compile(optimizer=None, loss=["mse", LABELS])
    assert model.optimizer is None
    assert len(model.evaluate(X, [A, B], verbose=0)) == 3
    with pytest.raises(ValueError, match="compiled with `optimizer=None`"):
        model.fit(X, [A, B], verbose=0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"loss": {"z": "mse"}}, r"Expected keys \['a', 'b'\] in loss dict, but found"),
        ({"loss": ["mse"]}, r"one entry for each output of the model, which are \['a', 'b'\]"),
        ({"loss": "mse", "metrics": ["mae"]}, "Invalid `metrics`"),
        ({"loss": "mse", "metrics": {"z": "mae"}}, r"\['z'\] do not correspond to any model"),
        ({"loss": ["mse", "mse"], "loss_weights": [1.0]}, "got 2 losses and 1 weights"),
    ],
)
def test_arguments_that_do_not_fit_the_outputs_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        make_model().compile("sgd", **arguments)


@pytest.mark.parametrize(
    ("y", "weights", "text"),
    [
        (A, None, "A model of 2 outputs takes `y` as a list with an array for each"),
        ([A, B, B], None, "must have an array for each output.*Received: 3 arrays"),
        ({"a": A, "z": B}, None, r"names an output 'z'.*keys \['a', 'z'\]"),
        ({"a": A}, None, r"no targets for the outputs \['b'\]"),
        ([A, B[:19]], None, "Data cardinality is ambiguous"),
        ([A, B], [W], "`sample_weight` must have an array for each output"),
        ([A, B[:, None] + 5], None, "outside the valid range"),
    ],
)
def test_data_that_do_not_fit_the_outputs_are_refused(y, weights, text):
    model = make_model()
    model.compile("sgd", ["mse", LABELS])
    with pytest.raises(ValueError, match=text):
        fitted(model, y, weights)


def test_class_weights_are_for_one_output():
    model = make_model()
    model.compile("sgd", ["mse", LABELS])
    with pytest.raises(ValueError, match="`class_weight` is only supported for Models with a sing"):
        fitted(model, [A, B], class_weight={0: 2.0})


def test_targets_of_the_only_output_may_be_named():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="out")])
    model.compile("sgd", {"out": "mse"}, {"out": ["mae"]}, loss_weights={"out": 2.0})
    by_name = model.evaluate(X, {"out": A}, sample_weight={"out": W}, verbose=0)
    assert by_name == model.evaluate(X, A, sample_weight=W, verbose=0)
    assert by_name == model.evaluate(X, [A], sample_weight=[W], verbose=0)
