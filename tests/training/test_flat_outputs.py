"""Weights that are updated as vectors are written as vectors: the same numbers, a copy less."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.training import trainer

X = np.random.default_rng(0).normal(size=(11, 5, 5, 3)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 2, 11)
LAYERS = ("pointwise", "bounded")
ADAM = ("momentum", "velocity")

build = trainer.build_train_step


@pytest.fixture
def graphs(monkeypatch):
    """Step graphs that are built."""
    found = []

    def recording(*args, **kwargs):
        found.append(build(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(trainer, "build_train_step", recording)
    return found


def train(optimizer="adam", **options):
    """A model with pointwise convolutions after epochs that end with a smaller batch."""
    seqonnx.clear_session(free_memory=False)
    seqonnx.set_random_seed(2)
    model = seqonnx.Sequential(
        [
            seqonnx.Input(shape=(5, 5, 3)),
            layers.Conv2D(4, 1, activation="relu", name="pointwise"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 2, name="wide"),
            layers.Conv2D(2, 1, name="bounded", kernel_constraint=seqonnx.constraints.NonNeg()),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    model.fit(X, Y, batch_size=4, epochs=3, verbose=0)
    return model


def output_ranks(graph):
    """Number of axes of each output of a step graph, by the path of the variable."""
    model = onnx.load_model_from_string(graph.model)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.output}
    return {variable._file_path: ranks[name] for variable, name in graph.writes.items()}


def test_pointwise_kernels_and_their_slots_are_written_as_vectors(graphs):
    train()
    for graph in graphs:
        ranks = output_ranks(graph)
        flat = {path for path, rank in ranks.items() if rank == 1 and "kernel" in path}
        slots = [f"optimizer/{layer}/kernel/{slot}" for layer in LAYERS for slot in ADAM]
        # What bounds a kernel takes it in its shape; its slots stay vectors.
        assert flat == {"pointwise/kernel", *slots}
        assert ranks["wide/kernel"] == ranks["bounded/kernel"] == 4
        nodes = onnx.load_model_from_string(graph.model).graph.node
        written = set(graph.writes.values())
        assert not [n for n in nodes if n.op_type == "Reshape" and n.output[0] in written]
    assert len(graphs) == 2  # one for batches of 4, one for all others


@pytest.mark.parametrize("options", [{}, {"recompute": True}], ids=str)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_is_the_same_to_the_bit(monkeypatch, optimizer, options):
    ours = train(optimizer, **options)
    monkeypatch.setattr(
        trainer,
        "build_train_step",
        lambda *args, **kwargs: build(*args, **{**kwargs, "flat": False}),
    )
    theirs = train(optimizer, **options)
    shapes = [weight.shape for weight in ours.weights]
    assert [array.shape for array in ours.get_weights()] == shapes
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    slots = zip(
        ours._sessions.trainer().optimizer_variables,
        theirs._sessions.trainer().optimizer_variables,
        strict=True,
    )
    for mine, other in slots:
        np.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_several_steps_in_one_run_keep_one_shape(graphs):
    several = train(steps_per_execution=2)
    assert all(rank == 4 for path, rank in output_ranks(graphs[0]).items() if "kernel" in path)
    for mine, other in zip(several.get_weights(), train().get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


def test_a_loss_scale_keeps_or_takes_whole_kernels():
    scaled = partial(seqonnx.optimizers.LossScaleOptimizer, initial_scale=1024.0)
    scaled_model = train(scaled(seqonnx.optimizers.SGD(0.01)))
    plain = train(seqonnx.optimizers.SGD(0.01))
    for mine, other in zip(scaled_model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
