"""Record what real Keras's optimizers make of the network of `cases.py`.

    KERAS_BACKEND=torch python tests/support/optimizers/write_recorded_optimizers.py

Recorded with Keras 3.15.1 and torch 2.13 on a CPU.
"""

from __future__ import annotations

from pathlib import Path

import cases
import keras
import numpy as np
import torch


def flat(arrays):
    return np.concatenate([np.asarray(array, "float32").ravel() for array in arrays])


class NewStorage(keras.optimizers.ScheduleFreeAdamW):
    """With torch, Keras reads `momentum_old` after it has been overwritten in place: a new place
    for the new value gives what its source says, and what other backends compute."""

    def assign_sub(self, variable, value):
        variable._value = torch.nn.Parameter(variable.value.clone(), requires_grad=False)
        super().assign_sub(variable, value)


def main():
    keras.optimizers.ScheduleFreeAdamW = NewStorage
    found = {}
    for name in cases.ALL:
        keras.backend.clear_session()
        model = cases.network(keras)
        model.compile(cases.optimizer(keras, name), "mse")
        found[f"weights/{name}"] = flat(cases.trained(model))
        variables = model.optimizer.variables
        if name in cases.LISTED:
            paths = np.array([variable.path for variable in variables])
            found[f"paths/{name}"] = np.char.replace(paths, "new_storage", "schedule_free_adam_w")
            found[f"variables/{name}"] = flat(variable.numpy() for variable in variables)
        found[f"updates/{name}"] = np.array(int(model.optimizer.iterations))
    for name, how in {"constrained": {"constrained": True}, "frozen": {"frozen": True}}.items():
        model = cases.network(keras, **how)
        arguments = cases.BASIC["Adam"] | cases.COMMON["ema overwrites"]
        model.compile(keras.optimizers.Adam(**arguments), "mse")
        found[f"weights/{name}"] = flat(cases.trained(model))
    for name in ("ema", "ema overwrites"):
        model = cases.network(keras)
        model.compile(keras.optimizers.Adam(**cases.BASIC["Adam"] | cases.COMMON[name]), "mse")
        model.fit(cases.X, cases.Y, batch_size=cases.BATCH, shuffle=False, verbose=0)
        found[f"weights/fit with {name}"] = flat(model.get_weights())
    for name, how in cases.SWAPS.items():
        measured, seen, left = cases.fit_with_swaps(keras, **how)
        found |= {f"val/{name}": measured, f"seen/{name}": seen, f"left/{name}": left}
    np.savez_compressed(Path(__file__).with_name("recorded_optimizers.npz"), **found)


if __name__ == "__main__":
    main()
