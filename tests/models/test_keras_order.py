"""Real Keras lists the layers and weights of the same graph in the same order."""

from __future__ import annotations

import os
import random
import warnings

import pytest

import seqonnx as sx

os.environ.setdefault("KERAS_BACKEND", "numpy")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def random_graph(kit, seed: int):
    """A graph with branches, shared layers, several inputs and outputs, the same in either kit."""
    rng, layers = random.Random(seed), kit.layers
    inputs = [kit.Input((4,)) for _ in range(rng.randint(1, 3))]
    tensors, shared = list(inputs), [layers.Dense(4) for _ in range(4)]
    for _ in range(rng.randint(3, 14)):
        kind = rng.random()
        if kind < 0.4:
            tensors.append(rng.choice(shared)(rng.choice(tensors)))
        elif kind < 0.6:
            tensors.append(layers.Dense(4, "relu")(rng.choice(tensors)))
        else:
            tensors.append(layers.Add()([rng.choice(tensors) for _ in range(rng.randint(2, 3))]))
    return kit.Model(inputs, tensors[-rng.randint(1, 3) :])


@pytest.mark.parametrize("seed", range(20))
def test_layers_and_weights_come_in_the_order_of_keras(seed):
    sx.clear_session(free_memory=False)
    keras.utils.clear_session()
    theirs, ours = random_graph(keras, seed), random_graph(sx, seed)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
