"""Resume: a training that is saved in its midst goes on bit for bit, in a file as in memory.

For every optimizer by name and with each of its switches, and for every kind of network: save
after an epoch and a part of one, load, and train on beside the model that has not stopped. Losses,
metrics, weights, slots and counters are the same bits.
"""

from __future__ import annotations

import pytest

import seqonnx as keras
from seqonnx import optimizers
from seqonnx.catalogue import short_names
from seqonnx.optimizers import schedules
from support.reliability.trained_networks import (
    BATCH,
    NETWORKS,
    Scale,
    assert_same,
    compiled,
    single,
    state,
    targets,
    train,
)

NAMES = short_names("optimizer")
VARIANTS = {
    "sgd momentum": optimizers.SGD(0.05, momentum=0.9),
    "sgd nesterov": optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam amsgrad": optimizers.Adam(0.05, amsgrad=True, clipnorm=0.5),
    "rmsprop centered": optimizers.RMSprop(0.05, momentum=0.9, centered=True, clipvalue=0.1),
    "ftrl penalties": optimizers.Ftrl(
        0.05, l1_regularization_strength=0.01, l2_regularization_strength=0.01, beta=0.1
    ),
    "global clipnorm": optimizers.AdamW(0.05, global_clipnorm=0.5),
    "restarts": optimizers.Lion(schedules.CosineDecayRestarts(0.05, 2)),
    "steps": optimizers.Adagrad(schedules.PiecewiseConstantDecay([2, 3], [0.1, 0.05, 0.01])),
    "loss scale": optimizers.LossScaleOptimizer(
        optimizers.Adamax(0.05), initial_scale=8.0, dynamic_growth_steps=2
    ),
}  # fmt: skip


def check_resume(model, x, tmp_path):
    """Train, save, and compare the next losses of the saved and the living model."""
    train(model, x)
    model.train_on_batch(*first_batch(x))
    model.save(tmp_path / "m.onnx")
    keras.set_random_seed(99)
    loaded = keras.load_model(tmp_path / "m.onnx", {"Scale": Scale})
    assert_same(state(loaded), state(model))
    assert train(loaded, x, epochs=2) == train(model, x, epochs=2)
    assert_same(state(loaded), state(model))


def first_batch(x):
    """The samples and targets of a first batch."""
    part = {k: v[:BATCH] for k, v in x.items()} if isinstance(x, dict) else x[:BATCH]
    return part, targets()[:BATCH]


@pytest.mark.parametrize("name", [*NAMES, *VARIANTS])
def test_every_optimizer_goes_on(tmp_path, name):
    model, x = compiled(single, VARIANTS[name] if name in VARIANTS else NAMES[name](0.05))
    batch = first_batch(x)
    for _ in range(2):
        model.train_on_batch(*batch)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    losses = [[one.train_on_batch(*batch) for _ in range(2)] for one in (loaded, model)]
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[0][1]
    assert_same(state(loaded), state(model))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_of_network_goes_on(tmp_path, network):
    model, x = compiled(network)
    check_resume(model, x, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "dense"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "adam"])
def test_every_optimizer_goes_on_with_every_network(tmp_path, name, network):
    model, x = compiled(network, NAMES[name](0.05))
    check_resume(model, x, tmp_path)
