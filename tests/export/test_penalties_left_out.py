"""Penalties are for training: no graph that only predicts holds a node or constant of one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx.layers import BatchNormalization, Conv2D, Dense, Flatten, Layer
from seqonnx.runtime import session as sessions

X = np.ones((2, 6, 6, 1), np.float32)


class Sparse(Layer):
    """Adds the size of its input to the loss."""

    def __init__(self, factor: float, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, op, x, training):
        if self.factor > 0.0:
            op.add_loss(op.Mul(op.ReduceSum(op.Abs(x), keepdims=0), np.float32(self.factor)))
        return op.Identity(x)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def network(penalty: float):
    """Penalties of weights, of outputs, of a nested model and of a user's layer; 0: none."""
    keras.clear_session(free_memory=False)
    some = keras.regularizers.L1L2(penalty, penalty) if penalty > 0.0 else None
    inner = keras.Sequential(
        [Dense(4, "relu", activity_regularizer=some, kernel_regularizer=some)], name="inner"
    )
    layers = [
        keras.Input((6, 6, 1)),
        Conv2D(2, 3, kernel_regularizer=some, bias_regularizer=some, activity_regularizer=some),
        BatchNormalization(gamma_regularizer=some),
        Flatten(),
        Sparse(penalty),
        inner,
        Dense(2, activity_regularizer=some),
    ]
    return keras.Sequential(layers)


def content(model: onnx.ModelProto) -> dict[str, object]:
    """Nodes, constants and outputs of a graph."""
    graph = model.graph
    return {
        "nodes": [(n.op_type, n.name, tuple(n.input), tuple(n.output)) for n in graph.node],
        "constants": sorted((t.name, tuple(t.dims)) for t in graph.initializer),
        "outputs": [v.name for v in graph.output],
    }


def exported(model, folder):
    model.export(folder / "model.onnx")
    return onnx.load(folder / "model.onnx")


def saved(model, folder):
    model.save(folder / "model.onnx")
    return onnx.load(folder / "model.onnx")


def predicting(model, folder):
    """The graph that `predict` runs."""
    given = []
    original = sessions.create_session

    def recorded(content, *args, **kwargs):
        given.append(content)
        return original(content, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "create_session", recorded)
        model.predict(X, verbose=0)
    (graph,) = given
    return onnx.load_model_from_string(graph)


GRAPHS = {
    "to_onnx": lambda model, folder: model.to_onnx(),
    "export": exported,
    "save": saved,
    "predict": predicting,
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_graph_without_training_is_that_of_a_model_without_penalties(kind, tmp_path):
    with_penalties, without = (content(GRAPHS[kind](network(p), tmp_path)) for p in (0.1, 0.0))
    assert with_penalties == without


def test_the_penalties_are_there_in_training():
    losses = []
    for penalty in (0.1, 0.0):
        model = network(penalty)
        model.set_weights([np.full_like(w, 0.5) for w in model.get_weights()])
        model.compile("sgd", "mse")
        losses.append(model.test_on_batch(X, np.ones((2, 2), np.float32)))
    assert losses[0] > losses[1] + 1.0
