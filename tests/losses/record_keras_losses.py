"""Record what Keras gives for each case: run this where Keras is installed.

    PYTHONPATH=tests KERAS_BACKEND=torch python tests/losses/record_keras_losses.py

Recorded with Keras 3.15.1 on PyTorch 2.13.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from support.loss_cases import CASES, DATA, FUNCTIONS, WEIGHTS


def numbers(result: Any) -> Any:
    """Return a tensor as lists of numbers of nine digits."""
    array = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(result, "float64")))
    return np.vectorize(lambda value: float(f"{value:.9g}"))(array).tolist()


def arrays(data: str) -> tuple[Any, Any]:
    """Return targets and predictions as users have them."""
    y_true, y_pred = DATA[data]
    return y_true.astype("int32" if y_true.dtype.kind == "i" else "float32"), y_pred.astype(
        "float32"
    )


def call(case: Any) -> Any:
    """Return the loss of a case."""
    loss = getattr(keras.losses, case.name)(**case.arguments)
    weight = None if case.weight is None else WEIGHTS[case.weight]
    y_true, y_pred = (array for array in DATA[case.data])
    return numbers(loss(y_true, y_pred, weight))


def signature(thing: Any) -> list[list[Any]]:
    """Return name and default of each argument."""
    return [
        [parameter.name, None if parameter.default is parameter.empty else repr(parameter.default)]
        for parameter in inspect.signature(thing).parameters.values()
    ]


names = [name for name in dir(keras.losses) if not name.startswith("_")]
classes = [name for name in names if inspect.isclass(getattr(keras.losses, name))]
record = {
    "values": {case.id: call(case) for case in CASES},
    "functions": [
        numbers(
            getattr(keras.losses, name)(*map(keras.ops.convert_to_tensor, arrays(data)), **options)
        )
        for name, options, data in FUNCTIONS
    ],
    "signatures": {name: signature(getattr(keras.losses, name)) for name in names},
    "configs": {
        name: keras.losses.serialize(getattr(keras.losses, name)())
        for name in classes
        if name != "Loss"
    },
}
path = Path(__file__).with_name("keras_losses.json")
path.write_text(json.dumps(record, indent=1, default=str) + "\n")
