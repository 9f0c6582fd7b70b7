"""A run that is saved in its middle goes on with the same bits, whatever the optimizer keeps."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import seqonnx as keras
from support.optimizers import cases

NAMES = ["Adam with ema with accumulation", "Adafactor with accumulation", "Muon", "multi"]
NAMES += ["ScheduleFreeAdamW", "loss scale", "schedule"]


def by_file(model, folder):
    model.save(folder / "model.onnx")
    return keras.models.load_model(folder / "model.onnx")


WAYS = {
    "file": by_file,
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, folder: copy.deepcopy(model),
}


def steps(model, first, last):
    for step in range(first, last):
        rows = slice(step * cases.BATCH, (step + 1) * cases.BATCH)
        model.train_on_batch(cases.X[rows], cases.Y[rows])


def state(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [np.asarray(variable.numpy()) for variable in variables]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_with_the_same_bits(name, tmp_path):
    def compiled():
        keras.clear_session(free_memory=False)
        model = cases.network(keras)
        model.compile(cases.optimizer(keras, name), "mse")
        return model

    whole = compiled()
    steps(whole, 0, 7)
    wanted = state(whole)
    begun = compiled()
    steps(begun, 0, 4)
    for way in WAYS.values():
        model = way(begun, tmp_path)
        steps(model, 4, 7)
        for mine, theirs in zip(state(model), wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)
