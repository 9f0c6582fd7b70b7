"""Metrics give what Keras gives, recorded by `record_keras_metrics.py`."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, metrics, ops
from support.metric_cases import ATTRIBUTES, CASES, CUT, DATA, FUNCTIONS, WEIGHTS

RECORD = json.loads(Path(__file__).with_name("keras_metrics.json").read_text())


def made(case):
    return getattr(metrics, case.name)(**case.arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_value_after_each_batch_is_that_of_keras(case):
    metric = made(case)
    for batch, expected in zip(case.batches(), RECORD["values"][case.id], strict=True):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "More independent|Metric .* counts in int32")
            actual = metric(*batch)
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("given", "expected"),
    list(zip(FUNCTIONS, RECORD["functions"], strict=True)),
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_function_on_arrays_gives_the_values_of_keras(given, expected):
    name, arguments, data = given
    actual = getattr(metrics, name)(*DATA[data], **arguments)
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_hold_what_those_of_keras_hold(name):
    arguments, data, names = ATTRIBUTES[name]
    metric = getattr(metrics, name)(**arguments)
    metric.update_state(*DATA[data])
    for each in names:
        expected = np.asarray(RECORD["attributes"][name][each])
        actual = np.asarray(getattr(metric, each))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6, err_msg=each)


@pytest.mark.parametrize("name", sorted(RECORD["signatures"]))
def test_signature_begins_with_the_arguments_of_keras(name):
    parameters = inspect.signature(getattr(metrics, name)).parameters.values()
    own = [
        [p.name, None if p.default is p.empty else repr(p.default)]
        for p in parameters
        if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    ]
    expected = [each for each in RECORD["signatures"][name] if each[0] not in {"args", "kwargs"}]
    if name in {"get", "serialize", "deserialize"}:
        expected = [[each[0], own[i][1]] for i, each in enumerate(expected)]
    assert own[: len(expected)] == expected


@pytest.mark.parametrize("name", sorted(RECORD["configs"]))
def test_config_of_keras_makes_the_metric_and_ours_has_its_entries(name):
    given = RECORD["configs"][name]
    metric = metrics.deserialize(given)
    assert type(metric) is getattr(metrics, name)
    config = metrics.serialize(metric)["config"]
    assert {key: config[key] for key in given["config"]} == given["config"]


TRAINED = ["bits", "numbers", "cube", "one-hot", "labels of maps", "classes", "column"]


@pytest.mark.parametrize("data", TRAINED)
def test_value_in_a_model_is_that_of_keras(data):
    """In uneven batches, with and without weights; the metric shows then what it has come to."""
    y_true, y_pred = DATA[data]
    plain = [case for case in CASES if case.data == data and case.weight is None]
    weighted = [case for case in CASES if case.data == data and case.weight == "samples"]
    unchanging = layers.Dense(
        y_pred.shape[-1], use_bias=False, kernel_initializer="identity", trainable=False
    )
    model = keras.Sequential([keras.Input(y_pred.shape[1:]), unchanging])
    given = [[made(case) for case in cases] for cases in (plain, weighted)]
    loss = keras.losses.LossFunctionWrapper(lambda y_true, y_pred: ops.mean(y_pred, axis=-1))
    model.compile("sgd", loss, metrics=given[0], weighted_metrics=given[1])
    weight = WEIGHTS["samples"] if weighted else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "More independent")
        model.evaluate(y_pred.astype("float32"), y_true, CUT, 0, weight)
        for metric, case in zip([*given[0], *given[1]], [*plain, *weighted], strict=True):
            expected = RECORD["values"][case.id][-1]
            np.testing.assert_allclose(
                metric.result(), expected, rtol=2e-5, atol=2e-6, err_msg=case.id
            )
