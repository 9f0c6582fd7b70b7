"""A metric with several values is an array wherever its values go.

Figures marked "Keras" were computed with Keras 3.15.1 (torch backend) by the same calls.
"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

import seqonnx as keras
from seqonnx import callbacks, layers, metrics

SCORES = np.array(
    [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.05, 0.15, 0.8], [0.5, 0.4, 0.1]],
    np.float32,
)
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 2, 2, 1, 1]]
# Keras: each metric of `several` on these scores.
KERAS = {
    "f1": [0.666667, 0.0, 0.5],
    "f2": [0.833333, 0.0, 0.5],
    "r2": [0.446875, -0.310417, -0.258333],
    "precision": [0.4, 0.25],
    "recall": [0.8, 0.2],
    "hits": [4.0, 1.0],
    "alarms": [6.0, 3.0],
}


def several():
    """Every metric that has several values."""
    return [
        metrics.F1Score(name="f1"),
        metrics.FBetaScore(beta=2.0, name="f2"),
        metrics.R2Score(class_aggregation=None, name="r2"),
        metrics.Precision(thresholds=[0.15, 0.45], name="precision"),
        metrics.Recall(thresholds=[0.15, 0.45], name="recall"),
        metrics.TruePositives(thresholds=[0.15, 0.45], name="hits"),
        metrics.FalsePositives(thresholds=[0.15, 0.45], name="alarms"),
    ]


@pytest.fixture
def model():
    """Gives its input back, and goes on doing so while it is trained."""
    unchanging = layers.Dense(3, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), unchanging])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=several())
    return model


def check(values):
    """Compare values by name with those of Keras."""
    for name, expected in KERAS.items():
        assert isinstance(values[name], np.ndarray)
        np.testing.assert_allclose(values[name], expected, atol=2e-6, err_msg=name)


def test_measuring_gives_arrays(model):
    check(model.evaluate(SCORES, ONE_HOT, batch_size=2, verbose=0, return_dict=True))
    check(model.test_on_batch(SCORES, ONE_HOT, return_dict=True))
    check(model.train_on_batch(SCORES, ONE_HOT, return_dict=True))
    loss, *listed = model.evaluate(SCORES, ONE_HOT, verbose=0)
    check(dict(zip(KERAS, listed, strict=True)))
    assert loss == pytest.approx(((SCORES - ONE_HOT) ** 2).mean())


def test_history_holds_an_array_for_each_epoch(model):
    """Each of its own: an epoch must not change what an earlier one has left."""
    data = {"x": SCORES, "y": ONE_HOT, "batch_size": 2, "verbose": 0, "shuffle": False}
    history = model.fit(**data, epochs=2, validation_data=(SCORES, ONE_HOT)).history
    for epoch in range(2):
        check({name: history[name][epoch] for name in KERAS})
        check({name: history[f"val_{name}"][epoch] for name in KERAS})
    kept = history["hits"][1].copy()
    model.fit(**data)
    np.testing.assert_array_equal(history["hits"][1], kept)


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_bar_shows_the_mean_as_keras_does(model, verbose):
    file = io.StringIO()
    told = callbacks.CallbackList(
        params={"verbose": verbose, "epochs": 1, "steps": 1},
        add_progbar=True,
        console=Console(file=file, width=300),
    )
    told.on_epoch_begin(0)
    told.on_epoch_end(0, {"f1": np.array(KERAS["f1"]), "r2": np.array(KERAS["r2"])})
    assert " - f1: 0.3889 - r2: -0.0406" in file.getvalue()


def test_a_table_file_holds_lists(model, tmp_path):
    path = tmp_path / "log.csv"
    model.fit(SCORES, ONE_HOT, verbose=0, callbacks=[callbacks.CSVLogger(path)])
    with path.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    check({name: np.array(json.loads(row[name])) for name in KERAS})
    assert float(row["loss"]) == pytest.approx(((SCORES - ONE_HOT) ** 2).mean())


@pytest.mark.parametrize(
    "make",
    [
        lambda path: callbacks.EarlyStopping("f1", mode="max"),
        lambda path: callbacks.ReduceLROnPlateau("f1", mode="max"),
        lambda path: callbacks.ModelCheckpoint(path, "f1", mode="max", save_best_only=True),
    ],
    ids=["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"],
)
def test_watching_several_values_is_refused(model, make, tmp_path, request):
    name = request.node.callspec.id
    with pytest.raises(ValueError, match=rf"^{name} watches one number.*`f1` has 3 values: \["):
        model.fit(SCORES, ONE_HOT, verbose=0, callbacks=[make(tmp_path / "m.onnx")])


def test_one_value_in_an_array_can_be_watched():
    monitor = callbacks.monitor.Monitor("EarlyStopping", "f1", "max")
    assert monitor.value({"f1": np.array([0.5])}, "") == 0.5


def test_a_file_name_with_several_values_is_refused(model, tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{f1:.2f}.onnx")
    with pytest.raises(ValueError, match=r"f1:\.2f.*These have several values: .*f1"):
        model.fit(SCORES, ONE_HOT, verbose=0, callbacks=[checkpoint])


def test_a_metric_of_ones_own_may_have_several_values():
    class Peaks(metrics.Metric):
        """The highest score of each class."""

        def __init__(self):
            super().__init__()
            self.add_variable((3,), name="peaks")

        def update(self, op, state, y_true, y_pred, sample_weight=None):
            return {"peaks": op.Max(state["peaks"], op.ReduceMax(y_pred, [0], keepdims=0))}

        def compute(self, state):
            return state["peaks"]

    unchanging = layers.Dense(3, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), unchanging])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[Peaks()])
    data = {"x": SCORES, "y": ONE_HOT, "batch_size": 1, "verbose": 0, "shuffle": False}
    first = model.fit(**data).history["peaks"][0]
    model.fit(x=0 * SCORES, y=ONE_HOT, batch_size=1, verbose=0)
    np.testing.assert_allclose(first, SCORES.max(0), rtol=1e-6)
