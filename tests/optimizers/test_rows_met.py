"""Of a table, a step visits the rows that the batch has met: all rows have the values that the
formula gives, and with `sparse=True` the others and their slots stay as they are, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, optimizers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_bytes
from seqonnx.runtime import CPU, Session

RNG = np.random.default_rng(0)
FIRST = np.array([[3, 3], [-1, 0]])
SECOND = np.array([1, 3, 1])


def graph_step(rows: int, uses: int):
    """New table and slots after Adam's first step, wanted and found, and the operators."""
    op = Emitter()
    table = op.input("table", "float32", (rows, 2))
    slots = {key: op.input(key, "float32", (rows, 2)) for key in ("momentum", "velocity")}
    targets, grad = [], np.zeros((rows, 2))
    for number, indices in enumerate([FIRST, SECOND][:uses]):
        picked = op.Gather(table, op.input(f"at{number}", "int64", indices.shape), axis=0)
        part = RNG.normal(size=(*indices.shape, 2)).astype(np.float32)
        targets.append((picked, op.constant(part)))
        np.add.at(grad, indices.reshape(-1), part.reshape(-1, 2).astype(np.float64))
    (found,) = backward(op, targets, [table])
    adam = optimizers.Adam(0.1)
    scalars = adam.prepare(op, op.constant(np.float32(0.1)), op.constant(np.float32(1)))
    new, changed = adam.update(op, table, found, slots, scalars)
    for value in (new, changed["momentum"], changed["velocity"]):
        op.output(value, "next")
    start = {key: RNG.random((rows, 2)).astype(np.float32) for key in ("table", *slots)}
    feeds = start | {"at0": FIRST, "at1": SECOND} if uses == 2 else start | {"at0": FIRST}
    m = 0.9 * start["momentum"].astype(np.float64) + 0.1 * grad
    v = 0.999 * start["velocity"].astype(np.float64) + 0.001 * grad**2
    w = start["table"] - 0.1 * np.sqrt(0.001) / 0.1 * m / (np.sqrt(v) + 1e-7)
    made = Session(to_bytes(op.graph), CPU, training=True).run(feeds)
    for found, wanted in zip(made, (w, m, v), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    return [node.op_type for node in op.graph]


@pytest.mark.parametrize("uses", [1, 2])
def test_a_row_that_occurs_several_times_moves_by_the_sum(uses):
    assert "ScatterND" in graph_step(200, uses)
    assert "ScatterND" not in graph_step(6, uses)


def network(table, optimizer, shared=False, **options):
    """Words, their sum over places and axes; two epochs of one batch each."""
    words = layers.Embedding(*table.shape, weights=table, **options)
    entry = keras.Input((3,), dtype="int64")
    rows = words(entry)
    if shared:
        rows = layers.Add()([rows, words(entry)])
    flat = layers.Flatten()(rows)
    total = layers.Dense(1, kernel_initializer="ones", trainable=False)(flat)
    model = keras.Model(entry, total)
    model.compile(optimizer, "mse")
    return model, words


def lazy_adam(table, batches, uses):
    """Kingma & Ba's update, of the rows in the batch alone, as PyTorch's SparseAdam has it."""
    w = table.astype(np.float64)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, (x, y) in enumerate(batches, 1):
        total = uses * w[x].sum((1, 2))
        grad = np.zeros_like(w)
        each = uses * 2 * (total - y[:, 0]) / len(x)
        np.add.at(grad, x.reshape(-1), np.repeat(each, x.shape[1])[:, None])
        met = np.unique(x % len(w))
        m[met] = 0.9 * m[met] + 0.1 * grad[met]
        v[met] = 0.999 * v[met] + 0.001 * grad[met] ** 2
        step = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w[met] -= step * m[met] / (np.sqrt(v[met]) + 1e-7)
    return w, m, v


@pytest.mark.parametrize("shared", [False, True])
def test_sparse_table_moves_only_in_the_rows_of_the_batch(shared):
    table = RNG.normal(size=(9, 2)).astype(np.float32)
    batches = [
        (np.array([[3, 3, 0], [-1, 0, 3]]), np.array([[1.0], [2.0]])),
        (np.array([[5, 8, 5], [2, 2, 2]]), np.array([[0.5], [0.0]])),
    ]
    model, words = network(table, optimizers.Adam(0.1), shared, sparse=True)
    before = [array.copy() for array in (table, np.zeros_like(table), np.zeros_like(table))]
    for number, (x, y) in enumerate(batches, 1):
        model.train_on_batch(x, y)
        slots = [v.numpy() for v in model.optimizer.variables if v.shape == table.shape]
        found = [words.get_weights()[0], *slots]
        wanted = lazy_adam(table, batches[:number], 2 if shared else 1)
        untouched = np.setdiff1d(np.arange(9), x % 9)
        for new, old, right in zip(found, before, wanted, strict=True):
            np.testing.assert_allclose(new, right, rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(new[untouched], old[untouched])
        before = found


@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_where_nothing_decays_a_sparse_table_trains_as_any_other(name):
    table = RNG.normal(size=(40, 2)).astype(np.float32)
    x, y = RNG.integers(0, 40, (8, 3)), RNG.random((8, 1)).astype(np.float32)
    found = []
    for options in ({}, {"sparse": True}):
        model, words = network(table, name, **options)
        model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        found.append(words.get_weights()[0])
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "options", "reason"),
    [
        (optimizers.Adam(clipnorm=1.0), {}, r"clipnorm=1.0 of Adam needs all of them"),
        (optimizers.AdamW(), {}, r"weight_decay=0.004 of AdamW needs all of them"),
        (optimizers.Lamb(), {}, r"the update of Lamb is not one of each element by itself"),
        (optimizers.Adam(gradient_accumulation_steps=2), {}, r"more than a sum of rows"),
        (optimizers.Adam(), {"embeddings_regularizer": "l2"}, r"more than a sum of rows"),
    ],
    ids=["clipping", "decay", "whole tables", "accumulation", "penalty"],
)
def test_what_moves_every_row_is_refused_for_a_sparse_table(optimizer, options, reason):
    table = np.ones((5, 2), np.float32)
    model, _ = network(table, optimizer, sparse=True, **options)
    with pytest.raises(ValueError, match=rf"embeddings` was declared with sparse=True.*{reason}"):
        model.train_on_batch(np.array([[0, 1, 2]]), np.ones((1, 1)))


def test_config_holds_sparse_only_where_it_was_asked_for():
    assert "sparse" not in layers.Embedding(3, 2).get_config()
    made = layers.Embedding.from_config(layers.Embedding(3, 2, sparse=True).get_config())
    assert made.sparse is True


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda layer: layer.enable_lora(2), "gets an adapter"),
        (lambda layer: layer.quantize("int8"), "becomes integers"),
    ],
)
def test_what_does_not_train_cannot_be_sparse(change, reason):
    layer = layers.Embedding(6, 4, sparse=True, name="table")
    layer.build()
    with pytest.raises(ValueError, match=rf"layer 'table' trains by the rows .* {reason} and does"):
        change(layer)


def test_integers_from_the_start_cannot_be_sparse():
    layer = layers.Embedding(6, 4, sparse=True, dtype="int8_from_float32")
    with pytest.raises(ValueError, match="is stored as integers and does not train"):
        layer.build()
