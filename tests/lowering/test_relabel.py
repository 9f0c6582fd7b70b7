"""A graph under an older operator set is the same graph, or keeps the newest number."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.graph import OPSET, Emitter
from seqonnx.graph.serde import to_bytes, to_proto
from seqonnx.lowering.relabel import relabel
from seqonnx.runtime import CPU, Session
from seqonnx.training import trainer
from support.layers.emission import runtime


def graph_of(emit, dtype="float32", shape=("batch", 4, 6, 6)):
    op = Emitter()
    op.output(emit(op, op.input("x", dtype, shape)), "y")
    return op


SAME = {
    "Pad": lambda op, x: op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1])),
    "MaxPool": lambda op, x: op.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool": lambda op, x: op.AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "ConvTranspose": lambda op, x: op.ConvTranspose(x, np.ones((4, 2, 3, 3), np.float32)),
    "GlobalAveragePool": lambda op, x: op.GlobalAveragePool(x),
    "HardSigmoid": lambda op, x: op.HardSigmoid(x),
    "Resize": lambda op, x: op.Resize(x, None, np.array([1, 1, 2, 2], np.float32), mode="nearest"),
    "ReduceMax": lambda op, x: op.ReduceMax(x, np.array([2, 3])),
    "Flatten": lambda op, x: op.Flatten(x),
    "Elu": lambda op, x: op.Elu(x),
    "ConstantOfShape": lambda op, x: op.Add(op.ConstantOfShape(op.Shape(x)), x),
    "Reshape": lambda op, x: op.Reshape(x, np.array([0, -1])),
}


@pytest.mark.parametrize("name", SAME)
def test_operators_without_cuda_kernels_in_new_versions_get_an_old_number(name):
    newest = onnx.defs.get_schema(name, OPSET, "").since_version
    assert newest > 18
    op = graph_of(SAME[name])
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype(np.float32)
    (expected,) = runtime(op, {"x": x})
    assert relabel(op.graph) == 18
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    np.testing.assert_allclose(runtime(op, {"x": x})[0], expected, rtol=1e-6, atol=2e-7)


NEWER = {
    "an operator that came later": (lambda op, x: op.Gelu(x), 20),
    "an operator of the pinned set": (
        lambda op, x: op.RMSNormalization(x, np.ones(6, np.float32)),
        OPSET,
    ),
    "an input that came later": (lambda op, x: op.DFT(x, None, np.array(2)), 20),
    "another rule at the end": (
        lambda op, x: op.AveragePool(x, kernel_shape=[4, 4], strides=[3, 3], ceil_mode=1),
        20,
    ),
    "an attribute that came later": (
        lambda op, x: op.AveragePool(x, kernel_shape=[2, 2], dilations=[2, 2]),
        20,
    ),
}


@pytest.mark.parametrize("case", NEWER)
def test_what_older_sets_lack_or_mean_otherwise_is_not_relabelled_to_them(case):
    emit, version = NEWER[case]
    shape = ("batch", 4, 6, 1) if "input" in case else ("batch", 4, 6, 6)
    op = graph_of(emit, shape=shape)
    assert relabel(op.graph) == version
    assert op.graph.opset_imports[""] == version


def test_a_dtype_that_came_later_is_not_relabelled():
    # bfloat16 of MaxPool is from operator set 22.
    op = graph_of(lambda op, x: op.MaxPool(x, kernel_shape=[2, 2]), "bfloat16")
    assert relabel(op.graph) == OPSET


def test_bodies_count():
    body = graph_of(lambda op, x: op.Gelu(x), shape=(4,)).graph
    op = Emitter()
    x = op.input("x", "float32", ("batch", 4))
    op.output(op.Scan(x, body=ir.AttrGraph("body", body).value, num_scan_inputs=1), "y")
    assert relabel(op.graph) == 20


def test_a_training_step_is_the_same_step(monkeypatch):
    found = []
    original = trainer.build_train_step
    monkeypatch.setattr(
        trainer, "build_train_step", lambda *a, **k: found.append(original(*a, **k)) or found[-1]
    )
    model = seqonnx.Sequential(
        [
            seqonnx.Input((9, 9, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Conv2D(4, 2, strides=2),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], device="cpu")
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.normal(size=(4, 9, 9, 2)).astype(np.float32), rng.integers(0, 3, 4))
    step = ir.from_proto(onnx.load_model_from_string(found[0].model))
    before = Session(found[0].model, CPU, training=True)
    assert relabel(step.graph) == 18
    after = Session(to_bytes(step.graph), CPU, training=True)
    feeds = {
        spec.name: rng.integers(0, 3, spec.shape).astype(spec.dtype)
        if "int" in spec.dtype
        else np.asarray(rng.random(spec.shape), spec.dtype)
        for spec in before.inputs
    }
    for ours, theirs in zip(after.run(feeds), before.run(feeds), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
