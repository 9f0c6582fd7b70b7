"""A training in files goes on elsewhere as it does here, and comes back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import seqonnx as keras
from seqonnx import layers, losses, metrics, optimizers
from seqonnx.errors import ModelFileError
from seqonnx.export import shared_weights
from seqonnx.metrics.ratio import ratio_of
from seqonnx.optimizers import schedules
from support.large_weights import large_from_4_kib
from support.training.plain_driver import PlainDriver

__all__ = ["large_from_4_kib"]

pytest.importorskip("safetensors", reason="the state is a .safetensors file")


def pictures(**compiled: Any) -> keras.Sequential:
    """A small network with dropout and batch statistics, for labels from 0 to 2."""
    keras.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1), name="picture"),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="normal"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    given = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy"} | compiled
    model.compile(metrics=["accuracy"], **given)
    return model


def batches(number: int, size: int = 8) -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(0)
    return [
        (generator.random((size, 6, 6, 1), np.float32), generator.integers(0, 3, size))
        for _ in range(number)
    ]


def compare_steps(model: Any, folder: Path, data: list[Any], **arguments: Any) -> PlainDriver:
    """Train here and by the files alone; returns the driver afterwards."""
    model.export_training(folder, **arguments)
    driver = PlainDriver(folder)
    for batch in data:
        here = model.train_on_batch(*batch, return_dict=True)
        there = driver.train_on_batch(*batch)
        assert there == pytest.approx(here, abs=1e-5)
    return driver


def weights_of(model: Any) -> list[Any]:
    return [weight.numpy() for weight in model.weights]


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.RMSprop(momentum=0.5, centered=True),
        optimizers.Adam(gradient_accumulation_steps=2, clipnorm=1.0, weight_decay=0.01),
        optimizers.LossScaleOptimizer(optimizers.SGD(0.1, momentum=0.9)),
    ],
    ids=["rmsprop", "gathered", "scaled"],
)
def test_the_files_alone_train_as_the_model_does(tmp_path, optimizer):
    model = pictures(optimizer=optimizer)
    data = batches(5)
    driver = compare_steps(model, tmp_path, [*data, batches(1, size=3)[0]])
    here = model.evaluate(*data[0], verbose=0, return_dict=True)
    assert driver.evaluate([data[0]]) == pytest.approx(here, abs=1e-5)
    predicted = driver.predict(data[0][0])["classes"]
    np.testing.assert_allclose(predicted, model.predict(data[0][0], verbose=0), atol=1e-5)


def test_state_comes_back_and_training_goes_on_exactly(tmp_path):
    model, data = pictures(), batches(9)
    driver = compare_steps(model, tmp_path, data[:5])
    driver.save(tmp_path / "state.safetensors")
    fresh = pictures()  # other layers, of the same code
    fresh.load_training(tmp_path)
    for ours, theirs in zip(weights_of(model), weights_of(fresh), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert fresh.optimizer.iterations == 5
    for batch in data[5:]:  # dropout draws the same, and moments are the same
        expected = model.train_on_batch(*batch)
        assert fresh.train_on_batch(*batch) == pytest.approx(expected, abs=1e-5)


def test_state_of_another_file_is_taken(tmp_path):
    model = pictures()
    driver = compare_steps(model, tmp_path, batches(2), weights=True)
    driver.save(tmp_path / "mine.safetensors")
    fresh = pictures()
    fresh.load_training(tmp_path, state=tmp_path / "mine.safetensors")
    assert fresh.optimizer.iterations == 2
    fresh.load_training(tmp_path)
    assert fresh.optimizer.iterations == 0


def test_only_what_trains_is_state_where_layers_are_frozen(tmp_path):
    model = pictures()
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    driver = compare_steps(model, tmp_path, batches(5))
    kept = [entry["path"] for entry in driver.manifest["state"] if entry["kind"] != "metric"]
    assert [path.split("/")[0] for path in kept[:2]] == ["classes", "classes"]
    assert not any("conv" in path or "normal" in path for path in kept)
    numbers = sum(array.size for array in driver.state.values())
    assert numbers == 3 * (64 * 3 + 3)  # kernel and bias, and Adam's two moments of each
    driver.save(tmp_path / "state.safetensors")
    fresh = pictures()
    for layer in fresh.layers[:-1]:
        layer.trainable = False
    fresh.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = weights_of(fresh.layers[0])
    fresh.load_training(tmp_path)
    np.testing.assert_allclose(weights_of(fresh)[-2], weights_of(model)[-2], atol=1e-6)
    np.testing.assert_array_equal(weights_of(fresh.layers[0])[0], before[0])


def test_graphs_share_what_is_frozen(tmp_path):
    keras.set_random_seed(6)
    model = keras.Sequential(
        [keras.Input((20,)), layers.Dense(400, activation="relu"), layers.Dense(2)]
    )
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    generator = np.random.default_rng(6)
    data = [(generator.random((4, 20), np.float32), np.ones((4, 2), np.float32))] * 3
    driver = compare_steps(model, tmp_path, data)
    assert driver.manifest["shared"] == ["frozen.bin"]
    frozen = 4 * (20 * 400 + 400)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert frozen <= sizes["frozen.bin"] < frozen + 4096  # once, not in each graph
    assert max(sizes[f"{name}.onnx"] for name in ("train", "eval", "forward")) < frozen / 2
    (predicted,) = driver.predict(data[0][0]).values()
    np.testing.assert_allclose(predicted, model.predict(data[0][0], verbose=0), atol=1e-5)
    here = model.evaluate(*data[0], verbose=0, return_dict=True)
    assert driver.evaluate(data[:1]) == pytest.approx(here, abs=1e-5)
    model.layers[0].trainable = True
    model.compile("adam", "mse")
    model.export_training(tmp_path)  # nothing is frozen now
    assert json.loads((tmp_path / "manifest.json").read_text())["shared"] == []
    assert not (tmp_path / "frozen.bin").exists()


def test_large_frozen_weights_go_to_files_without_a_message(
    large_from_4_kib, tmp_path, monkeypatch
):
    monkeypatch.setattr(shared_weights, "_LARGEST", 1 << 15)
    generator = np.random.default_rng(6)
    path = tmp_path / "base.onnx"
    base = keras.Sequential([keras.Input((64,)), layers.Dense(100, "relu"), layers.Dense(40)])
    base.export(path, external_data=True)
    keras.set_random_seed(6)
    stack = [layers.ONNXModel(path, trainable=False), layers.Dense(30, "tanh"), layers.Dense(2)]
    model = keras.Sequential([keras.Input((64,)), *stack])
    model.layers[1].trainable = False  # an array beside the mapped ones
    model.compile("adam", "mse")
    data = [(generator.random((4, 64), np.float32), np.ones((4, 2), np.float32))] * 3
    driver = compare_steps(model, tmp_path / "t", data)
    assert driver.manifest["shared"] == ["frozen.bin", "frozen_1.bin"]
    sizes = [(tmp_path / "t" / name).stat().st_size for name in driver.manifest["shared"]]
    assert 4 * (64 * 100 + 100 * 40 + 40 * 30) <= sum(sizes) < 4 * 12_000 + 3 * 4096
    assert [entry["path"] for entry in driver.manifest["state"][:2]] == [
        *("dense_3/kernel", "dense_3/bias"),
    ]
    (predicted,) = driver.predict(data[0][0]).values()
    np.testing.assert_allclose(predicted, model.predict(data[0][0], verbose=0), atol=1e-5)
    model.layers[0].trainable = model.layers[1].trainable = True
    model.compile("adam", "mse")
    model.export_training(tmp_path / "t")
    assert list((tmp_path / "t").glob("frozen*")) == []


@pytest.mark.parametrize("kind", ["lora", "int8"])
def test_adapters_and_simulated_integers_go_on_in_files(tmp_path, kind):
    model = pictures()
    if kind == "lora":
        model.layers[-1].enable_lora(2)
        for layer in model.layers[:-1]:
            layer.trainable = False
    else:
        model.quantize("int8", mode="qat")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    driver = compare_steps(model, tmp_path, batches(3))
    kinds = {entry["name"]: entry["kind"] for entry in driver.manifest["state"]}
    if kind == "lora":
        trained = {name.rpartition("/")[2] for name, each in kinds.items() if each == "weight"}
        assert trained == {"bias", "lora_kernel_a", "lora_kernel_b"}
    driver.save(tmp_path / "state.safetensors")
    expected = weights_of(model)
    model.load_training(tmp_path)
    for ours, theirs in zip(expected, weights_of(model), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_sample_weights_and_other_dtypes_of_labels(tmp_path):
    keras.set_random_seed(5)
    model = pictures(weighted_metrics=["accuracy"])
    weight = np.linspace(0, 2, 8, dtype=np.float32)
    data = [(x, y, weight) for x, y in batches(5)]
    driver = compare_steps(model, tmp_path, data, sample_weight=True, target_dtype="int32")
    assert driver.manifest["targets"] == [{"name": "y_true", "dtype": "int32", "shape": ["batch"]}]
    assert driver.manifest["sample_weights"][0]["name"] == "sample_weight"


def two_heads() -> keras.Model:
    keras.set_random_seed(2)
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    both = layers.Concatenate()([first, second])
    hidden = layers.Dropout(0.2)(layers.Dense(6, activation="tanh", name="hidden")(both))
    outputs = {
        "kind": layers.Dense(2, activation="softmax", name="kind")(hidden),
        "size": layers.Dense(1, name="size", kernel_regularizer="l2")(hidden),
    }
    model = keras.Model({"first": first, "second": second}, outputs)
    model.compile(
        "sgd",
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 0.5, "size": 2.0},
        metrics={"kind": ["accuracy"], "size": ["mae", metrics.RootMeanSquaredError()]},
    )
    return model


def test_several_inputs_outputs_and_losses(tmp_path):
    generator = np.random.default_rng(1)
    model = two_heads()
    data = []
    for _ in range(5):
        x = {"first": generator.random((5, 4), np.float32)}
        x["second"] = generator.random((5, 3), np.float32)
        y = {"kind": generator.integers(0, 2, 5)}
        y["size"] = generator.random((5, 1), np.float32)
        data.append((x, y))
    driver = compare_steps(model, tmp_path, data)
    names = {entry["name"] for entry in driver.manifest["metrics"]}
    assert {"kind_loss", "size_loss", "kind_accuracy", "size_mae"} <= names
    predicted = driver.predict(data[0][0])
    for name, expected in model.predict(data[0][0], verbose=0).items():
        np.testing.assert_allclose(predicted[name], expected, atol=1e-5)


def test_sequences_of_any_length(tmp_path):
    keras.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="words"),
            layers.Embedding(20, 5, mask_zero=True),
            layers.LSTM(6, dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    generator = np.random.default_rng(3)
    data = [
        (generator.integers(0, 20, (6, length)), generator.integers(0, 2, (6, 1)).astype("f4"))
        for length in (4, 7, 5, 9, 4)
    ]
    driver = compare_steps(model, tmp_path, data)
    assert driver.manifest["inputs"][0]["shape"] == ["batch", "words_1"]


def two_stateful_layers() -> keras.Sequential:
    stack = [
        keras.Input(batch_shape=(4, 3, 2)),
        layers.LSTM(5, stateful=True, return_sequences=True),
        layers.Bidirectional(layers.GRU(3, stateful=True)),
        layers.Dense(1),
    ]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def test_states_that_layers_keep_come_back(tmp_path):
    keras.set_random_seed(1)
    generator = np.random.default_rng(2)
    data = [(generator.random((4, 3, 2), "f4"), generator.random((4, 1), "f4")) for _ in range(6)]
    model = two_stateful_layers()
    driver = compare_steps(model, tmp_path, data[:4])
    assert driver.manifest["inputs"][0]["shape"] == [4, 3, 2]
    assert driver.manifest["targets"][0]["shape"] == [4, 1]
    driver.save(tmp_path / "state.safetensors")
    fresh = two_stateful_layers()
    fresh.load_training(tmp_path)
    for batch in data[4:]:
        expected = model.train_on_batch(*batch)
        assert fresh.train_on_batch(*batch) == pytest.approx(expected, abs=1e-6)
    kept = [[np.asarray(s) for s in m.layers[0].states] for m in (model, fresh)]
    np.testing.assert_allclose(kept[0], kept[1], atol=1e-6)
    assert np.abs(kept[0]).max() > 0.01


class Deformed(layers.Layer):
    """Has an operator of set 19 that no older set can say, and only in training."""

    def call(self, op, x, training):
        if not training:
            return x
        picture = op.Unsqueeze(x, [1, 2])
        offset = op.ConstantOfShape(op.Concat(op.Shape(x, end=1), [2, 1, 3], axis=0))
        one = np.ones((1, 1, 1, 1), np.float32)
        return op.Squeeze(op.DeformConv(picture, one, offset, kernel_shape=[1, 1]), [1, 2])


def distance(op, y_true, y_pred):
    """A loss of one's own, for targets of another shape than the predictions."""
    first = op.Slice(y_true, [0], [1], [1])
    return op.ReduceMean(op.Abs(op.Sub(first, y_pred)), [-1], keepdims=0)


class Counted(layers.Layer):
    """Keeps the mean of its inputs."""

    def __init__(self):
        super().__init__()
        self.mean = metrics.Mean(name="inside")

    def call(self, x):
        self.mean.update_state(keras.ops.mean(x))
        return x


def test_targets_of_a_loss_of_ones_own_are_as_they_were_seen(tmp_path):
    generator = np.random.default_rng(5)
    x, y = generator.random((6, 4), np.float32), generator.random((6, 3), np.float32)
    model = keras.Sequential([keras.Input((4,)), Counted(), layers.Dense(1)])
    model.compile("sgd", distance)
    model.train_on_batch(x, y)
    model.export_training(tmp_path)
    driver = PlainDriver(tmp_path)
    assert driver.manifest["targets"][0]["shape"] == ["batch", 3]
    here = model.train_on_batch(x, y, return_dict=True)
    assert set(here) == {"loss", "inside"}
    assert driver.train_on_batch(x, y) == pytest.approx(here, abs=1e-6)


@pytest.mark.parametrize(("dtype", "shape"), [("uint8", ["batch"]), (None, ["batch", 3])])
def test_dtype_of_targets_says_which_crossentropy_is_meant(tmp_path, dtype, shape):
    model = pictures(loss="crossentropy")
    model.export_training(tmp_path, target_dtype=dtype)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["targets"] == [{"name": "y_true", "dtype": dtype or "float32", "shape": shape}]


def test_moving_averages_are_named(tmp_path):
    model = pictures(optimizer=optimizers.SGD(0.1, use_ema=True))
    driver = compare_steps(model, tmp_path, batches(3))
    averages = dict(driver.manifest["averages"])
    assert averages["classes/kernel"] == "optimizer/classes/kernel/average"
    model.optimizer.finalize_variable_values(model.trainable_variables)
    kernel = driver.state[averages["classes/kernel"]]
    np.testing.assert_allclose(kernel, model.layers[-1].kernel.numpy(), atol=1e-6)


def test_graphs_are_standard_and_of_any_batch(tmp_path):
    pictures().export_training(tmp_path)
    for name in ("train", "eval", "forward"):
        model = onnx.load(tmp_path / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} == {""}
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("opset", "versions"), [(None, (18, 8, "1.14")), (23, (23, 11, "1.23"))])
def test_operator_set_is_an_old_one_or_as_asked_for(tmp_path, opset, versions):
    model = pictures()
    driver = compare_steps(model, tmp_path, batches(2), opset=opset)
    manifest = driver.manifest
    assert (manifest["opset"], manifest["ir_version"], manifest["onnxruntime"]) == versions
    for graph in manifest["graphs"].values():
        file = onnx.load(tmp_path / graph["file"])
        assert (file.opset_import[0].version, file.ir_version) == versions[:2]


def test_operator_set_that_is_not_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`opset` must be from 13 to 23"):
        pictures().export_training(tmp_path, opset=12)


def test_graphs_share_the_lowest_operator_set_that_can_say_them_all(tmp_path, caplog):
    model = keras.Sequential([keras.Input((3,)), Deformed(), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.export_training(tmp_path)
    for file in tmp_path.glob("*.onnx"):
        assert onnx.load(file).opset_import[0].version == 19
    assert "Operator set 19 is written" in caplog.text


def test_export_is_the_same_bytes_again_and_leaves_the_model_alone(tmp_path):
    model = pictures()
    model.train_on_batch(*batches(1)[0])
    before = weights_of(model)
    for folder in ("first", "second"):
        model.export_training(tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == [
        "eval.onnx",
        "forward.onnx",
        "manifest.json",
        "package.json",
        "seqonnx.d.ts",
        "seqonnx.js",
        "state.safetensors",
        "train.onnx",
    ]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_may_be_left_out(tmp_path):
    pictures().export_training(tmp_path, weights=False)
    assert not (tmp_path / "state.safetensors").exists()
    with pytest.raises(ModelFileError, match=r"File not found: .*state\.safetensors"):
        pictures().load_training(tmp_path)


def test_schedules_are_in_the_manifest(tmp_path):
    rate = schedules.ExponentialDecay(0.1, 10, 0.5)
    pictures(optimizer=optimizers.SGD(rate)).export_training(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (entry,) = manifest["learning_rates"]
    assert entry["name"] == "learning_rate"
    assert entry["schedule"]["class_name"] == "ExponentialDecay"
    assert entry["schedule"]["config"]["decay_rate"] == 0.5


@pytest.mark.parametrize(
    ("metric", "state", "value"),
    [
        (metrics.Mean(), {"total": 6.0, "count": 4.0}, 1.5),
        (metrics.Sum(), {"total": 6.0}, 6.0),
        (metrics.SparseCategoricalAccuracy(), {"total": 1.0, "count": 4.0}, 0.25),
        (metrics.RootMeanSquaredError(), {"total": 36.0, "count": 4.0}, 3.0),
        (metrics.Precision(), {"true_positives": 3.0, "false_positives": 1.0}, 0.75),
        (metrics.Recall(), {"true_positives": 1.0, "false_negatives": 3.0}, 0.25),
        (metrics.FalsePositives(), {"false_positives": 5.0}, 5.0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, metrics.Metric) else None,
)
def test_ratio_is_the_value_of_the_metric(metric, state, value):
    ratio = ratio_of(metric)
    assert ratio is not None
    above = sum(state[name] for name in ratio.numerator)
    below = sum(state[name] for name in ratio.denominator) or 1.0
    assert (above / below) ** (0.5 if ratio.root else 1.0) == value
    shapes = {variable.name: variable.shape for variable in metric.variables}
    arrays = {name: np.full(shapes[name], number) for name, number in state.items()}
    assert metric.result(arrays) == value


class Halved(metrics.MeanMetric):
    """A mean that is divided by 2 on the host."""

    def call(self, op, y_true, y_pred):
        return op.ReduceMax(y_pred, [-1], keepdims=0)

    def compute(self, state):
        return float(state["total"]) / float(state["count"]) / 2


@pytest.mark.parametrize(
    "metric", [metrics.AUC(), metrics.Precision([0.2, 0.5]), metrics.MeanIoU(2), Halved()]
)
def test_metric_that_is_no_ratio_is_refused(tmp_path, metric):
    assert ratio_of(metric) is None
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[metric])
    with pytest.raises(ValueError, match=f"metric '{metric.name}' .*is no ratio of sums"):
        model.export_training(tmp_path)
    assert list(tmp_path.iterdir()) == []


class OwnStep(keras.Model):
    """A model whose user has written its step."""

    def train_step(self, data):
        return super().train_step(data)


def refused(kind: str) -> keras.Model:
    x = keras.Input((2,))
    own = OwnStep(x, layers.Dense(1)(x))
    plain = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    if kind == "own step":
        own.compile("sgd", "mse")
        return own
    if kind == "own schedule":
        plain.compile(optimizers.SGD(lambda: 0.1), "mse")
    elif kind == "no optimizer":
        plain.compile(None, "mse")
    elif kind == "not built":
        plain = keras.Sequential([layers.Dense(1)])
        plain.compile("sgd", "mse")
    elif kind == "text":
        text = keras.Sequential(
            [keras.Input((1,), dtype="string"), layers.StringLookup(vocabulary=["a"])]
        )
        text.add(layers.Embedding(3, 2))
        text.compile("sgd", "mse")
        return text
    elif kind == "no loss":
        plain.compile("sgd")
    return plain


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("own step", "has a `train_step`, `test_step`, `compute_loss` or `compute_metrics` of its"),
        ("own schedule", "which other programs cannot call. Use a schedule of"),
        ("no optimizer", "was compiled with `optimizer=None`"),
        ("not built", "has not yet been built"),
        ("text", "takes text .*no graph for training holds"),
        ("not compiled", "You must call `compile\\(\\)` before"),
        ("no loss", "No loss to compute"),
    ],
)
def test_what_no_other_program_could_drive_is_refused(tmp_path, kind, words):
    with pytest.raises(ValueError, match=words):
        refused(kind).export_training(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["string", "bfloat16", "nothing"])
def test_dtype_of_targets_must_be_one_of_numbers(tmp_path, dtype):
    with pytest.raises(ValueError, match="dtype"):
        pictures().export_training(tmp_path, target_dtype=dtype)


def test_training_of_another_model_is_refused_and_nothing_changes(tmp_path):
    pictures().export_training(tmp_path)
    other = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    other.compile("sgd", "mse")
    before = weights_of(other)
    with pytest.raises(ValueError, match="is of another model or optimizer than"):
        other.load_training(tmp_path)
    wider = pictures()
    wider.pop()
    wider.add(layers.Dense(4, name="classes"))
    wider.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=r"'classes/kernel' of shape \(64, 3\).*Nothing has chang"):
        wider.load_training(tmp_path)
    np.testing.assert_array_equal(before[0], weights_of(other)[0])


def test_broken_and_missing_files_are_named(tmp_path):
    model = pictures()
    with pytest.raises(ModelFileError, match=r"File not found: .*manifest\.json"):
        model.load_training(tmp_path)
    model.export_training(tmp_path)
    manifest = tmp_path / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole[:100])
    with pytest.raises(ModelFileError, match="is not the manifest of a training"):
        model.load_training(tmp_path)
    manifest.write_text(re.sub('"format": 1', '"format": 2', whole))
    with pytest.raises(ModelFileError, match="has the format 2"):
        model.load_training(tmp_path)
    manifest.write_text(whole)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-4])
    with pytest.raises(ModelFileError, match=r"is not a whole `\.safetensors` file"):
        model.load_training(tmp_path)
    model.save_weights(state)
    with pytest.raises(ModelFileError, match=r"does not go with .*holds float32 of shape"):
        model.load_training(tmp_path)


def test_place_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OSError, match="it is a file; name a folder"):
        pictures().export_training(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
