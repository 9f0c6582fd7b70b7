"""Recomputation changes how much is alive at once, and nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.runtime import CPU, Session
from seqonnx.training import trainer

DEPTH = 12


def dense_stack():
    hidden = [layers.Dense(16, activation="tanh", name=f"hidden{i}") for i in range(DEPTH)]
    return seqonnx.Sequential([seqonnx.Input((16,)), *hidden, layers.Dense(3)])


def convolutions():
    """Convolutions with moving statistics and dropout."""
    stack = [seqonnx.Input((6, 6, 2))]
    for i in range(4):
        stack += [
            layers.Conv2D(4, 3, padding="same", name=f"conv{i}"),
            layers.BatchNormalization(name=f"norm{i}"),
            layers.Activation("relu", name=f"relu{i}"),
            layers.Dropout(0.3, name=f"drop{i}"),
        ]
    return seqonnx.Sequential([*stack, layers.Flatten(), layers.Dense(3)])


def residual():
    """Sums of what a layer gets and gives, one across all others."""
    x = first = seqonnx.Input((8,))
    for i in range(6):
        x = layers.Add(name=f"add{i}")([x, layers.Dense(8, activation="gelu", name=f"d{i}")(x)])
    return seqonnx.Model(first, layers.Dense(3)(layers.Add()([x, first])))


def pyramid():
    """Smaller maps behind every pooling, one layer frozen, one with a penalty, one used twice."""
    shared = layers.Conv2D(6, 3, padding="same", activation="elu", name="shared")
    frozen = layers.Conv2D(6, 1, name="frozen")
    frozen.trainable = False
    stack = [
        layers.Conv2D(6, 3, activation="relu", kernel_regularizer="l2", name="first"),
        frozen,
        shared,
        layers.MaxPooling2D(2),
        shared,
        layers.BatchNormalization(name="norm"),
        layers.AveragePooling2D(2, padding="same"),
        layers.Flatten(),
        layers.Dense(3),
    ]
    x = first = seqonnx.Input((10, 10, 2))
    for layer in stack:
        x = layer(x)
    return seqonnx.Model(first, x)


def nested():
    base = seqonnx.Sequential(
        [seqonnx.Input((8,))]
        + [layers.Dense(8, activation="relu", name=f"b{i}") for i in range(6)],
        name="base",
    )
    return seqonnx.Sequential(
        [seqonnx.Input((8,)), base, layers.Dense(8, "relu", name="top"), layers.Dense(3)]
    )


def linear_end():
    """Behind the last activation gradients of weights need nothing that is computed again there."""
    return seqonnx.Sequential(
        [
            seqonnx.Input((5, 5, 3)),
            layers.Conv2D(4, 1, activation="relu"),
            layers.SeparableConv2D(6, 3),
            layers.Conv2D(2, 1),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


@pytest.fixture
def graphs(monkeypatch):
    """Every step graph that is built, as an ONNX model."""
    found = []
    original = trainer.build_train_step

    def recording(*args, **kwargs):
        graph = original(*args, **kwargs)
        found.append(onnx.load_from_string(graph.model))
        return graph

    monkeypatch.setattr(trainer, "build_train_step", recording)
    return found


def trained(build, recompute, *, steps=3, optimizer="adam", batch=8):
    """Weights and losses after some steps."""
    seqonnx.clear_session(free_memory=False)
    seqonnx.set_random_seed(3)
    model = build()
    loss = seqonnx.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, recompute=recompute)
    rng = np.random.default_rng(0)
    shape = (batch, *model.input_shape[1:])
    x, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, 3, batch)
    losses = [model.train_on_batch(x, y) for _ in range(steps)]
    return losses, [weight.numpy() for weight in model.weights]


@pytest.mark.parametrize(
    "build", [dense_stack, convolutions, residual, pyramid, nested, linear_end]
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_is_the_same(build, optimizer, graphs):
    losses, weights = trained(build, False, optimizer=optimizer)
    again = trained(build, True, optimizer=optimizer)
    np.testing.assert_allclose(again[0], losses, rtol=1e-6)
    for ours, theirs in zip(again[1], weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert len(repeated(graphs[0])) == 0
    assert len(repeated(graphs[1])) > 0


@pytest.mark.parametrize("steps", [1, 2])
def test_epochs_with_a_ragged_last_batch_are_the_same(steps):
    losses = []
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(21, 6, 6, 2)).astype(np.float32), rng.integers(0, 3, 21)
    for recompute in (False, ["relu1", "norm2"]):
        seqonnx.clear_session(free_memory=False)
        seqonnx.set_random_seed(3)
        model = convolutions()
        loss = seqonnx.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, steps_per_execution=steps, recompute=recompute)
        losses.append(model.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)


def test_layers_whose_outputs_are_kept_can_be_named(graphs):
    trained(dense_stack, ["hidden3", "hidden7"], steps=1)
    stems = {name.removeprefix("grad/recompute/").partition("/")[0] for name in repeated(graphs[0])}
    again = {int(stem.removeprefix("hidden")) for stem in stems if stem.startswith("hidden")}
    assert again == {0, 1, 2, 4, 5, 6}


def test_a_nested_model_can_be_named(graphs):
    trained(nested, ["base"], steps=1)
    again = {name.split("/")[3] for name in repeated(graphs[0]) if "/base/" in name}
    assert again == {f"b{i}" for i in range(5)}


def test_the_same_model_gives_the_same_graph(graphs):
    for _ in range(2):
        trained(convolutions, True, steps=1)
    assert graphs[0].SerializeToString() == graphs[1].SerializeToString()


def test_few_activations_are_alive_when_the_backward_pass_begins(graphs):
    trained(dense_stack, False, steps=1)
    trained(dense_stack, True, steps=1)
    plain, thrifty = (len(forward_values_read_behind(graph)) for graph in graphs)
    assert plain >= DEPTH
    assert thrifty <= 2 * DEPTH**0.5


def test_moving_statistics_move_once(graphs):
    trained(convolutions, True, steps=1)
    moving = [v.name for v in graphs[0].graph.output if "moving_" in v.name]
    makers = [node for node in graphs[0].graph.node if set(node.output) & set(moving)]
    assert len(moving) == 8
    assert len(makers) == 8
    assert not any(node.name.startswith("grad/") for node in makers)


@pytest.mark.parametrize("batch", [8, 5])
def test_copies_run_when_the_backward_pass_arrives(graphs, tmp_path, batch):
    # ONNX Runtime neither merges them with what they are copies of nor runs them early.
    trained(dense_stack, True, steps=1, batch=batch)
    order = executed(graphs[0], tmp_path)
    copies = [name for name in order if name.startswith("grad/recompute/hidden")]
    originals = {name.removeprefix("grad/recompute/") for name in copies}
    assert len(originals) >= DEPTH // 2
    for name in originals:
        assert name in order
    first_layer = order.index("grad/recompute/hidden0/Gemm")
    behind = [order.index(f"grad/hidden{i}/Mul") for i in range(DEPTH - 2, DEPTH)]
    assert max(behind) < first_layer


def executed(model, folder):
    """Names of the nodes that ONNX Runtime runs, in its order."""
    session = Session(
        model.SerializeToString(), CPU, training=True, profile=folder / "profile.json"
    )
    feeds = {spec.name: np.ones(spec.shape, spec.dtype) for spec in session.inputs}
    session.run(feeds)
    return [record.node for record in session.end_profile()]


def repeated(model):
    """Names of the nodes that compute something again."""
    return [
        n.name
        for n in model.graph.node
        if n.name.startswith("grad/recompute/") and n.name.count("/") > 2
    ]


def forward_values_read_behind(model):
    """Values of layers that nodes of the backward pass read."""
    inside = {
        name for node in model.graph.node if node.name.startswith("hidden") for name in node.output
    }
    behind = [node for node in model.graph.node if node.name.startswith("grad/")]
    return {name for node in behind for name in node.input if name in inside}


def test_unknown_layers_are_refused():
    model = seqonnx.Sequential([seqonnx.Input((2,)), layers.Dense(1, name="only")])
    with pytest.raises(ValueError, match=r"does not have: \['other'\]. Its layers: \['only'\]"):
        model.compile(loss="mse", recompute=["only", "other"])


@pytest.mark.parametrize("wrong", ["only", 3, None, []])
def test_what_is_no_list_of_layers_is_refused(wrong):
    model = seqonnx.Sequential([seqonnx.Input((2,)), layers.Dense(1, name="only")])
    with pytest.raises(ValueError, match="`recompute` must be True, False or a list of names"):
        model.compile(loss="mse", recompute=wrong)
