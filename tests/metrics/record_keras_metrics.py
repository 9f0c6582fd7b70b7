"""Record what Keras gives for each case: run this where Keras is installed.

    PYTHONPATH=tests KERAS_BACKEND=torch python tests/metrics/record_keras_metrics.py

Recorded with Keras 3.15.1 on PyTorch 2.13.
"""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from support.metric_cases import ATTRIBUTES, CASES, DATA, FUNCTIONS, Case

REQUIRED = {"num_classes": 3, "target_class_ids": [0, 1], "fn": keras.losses.mean_squared_error}
REQUIRED |= dict.fromkeys(("recall", "precision", "sensitivity", "specificity"), 0.5)


def numbers(result: Any) -> Any:
    """Return a tensor as lists of numbers of nine digits."""
    array = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(result, "float64")))
    return np.vectorize(lambda value: float(f"{value:.9g}"))(array).tolist()


def call(case: Case) -> Any:
    """Return the result of a case after each of its batches."""
    metric = getattr(keras.metrics, case.name)(**case.arguments)
    results = []
    for y_true, y_pred, weight in case.batches():
        metric.update_state(keras.ops.array(y_true), keras.ops.array(y_pred), sample_weight=weight)
        results.append(numbers(metric.result()))
    return results


def attributes(name: str) -> dict[str, Any]:
    """Return the attributes of a metric that has seen data."""
    arguments, data, names = ATTRIBUTES[name]
    metric = getattr(keras.metrics, name)(**arguments)
    metric.update_state(*(keras.ops.array(array) for array in DATA[data]))
    return {each: numbers(np.asarray(getattr(metric, each))) for each in names}


def signature(thing: Any) -> list[list[Any]]:
    """Return name and default of each argument."""
    return [
        [parameter.name, None if parameter.default is parameter.empty else repr(parameter.default)]
        for parameter in inspect.signature(thing).parameters.values()
    ]


def config(cls: Any) -> Any:
    """Return the configuration of a metric with the arguments that it needs, and no others."""
    needed = [p for p in inspect.signature(cls).parameters if p in REQUIRED]
    keras.utils.clear_session()
    return keras.metrics.serialize(cls(**{name: REQUIRED[name] for name in needed}))


warnings.simplefilter("ignore")
names = [name for name in dir(keras.metrics) if not name.startswith("_")]
classes = [name for name in names if inspect.isclass(getattr(keras.metrics, name))]
record = {
    "values": {case.id: call(case) for case in CASES},
    "functions": [
        numbers(getattr(keras.metrics, name)(*map(keras.ops.array, DATA[data]), **options))
        for name, options, data in FUNCTIONS
    ],
    "attributes": {name: attributes(name) for name in ATTRIBUTES},
    "signatures": {name: signature(getattr(keras.metrics, name)) for name in names},
    "configs": {name: config(getattr(keras.metrics, name)) for name in classes if name != "Metric"},
}
path = Path(__file__).with_name("keras_metrics.json")
path.write_text(json.dumps(record, indent=None, default=str).replace('], "', '],\n"') + "\n")
