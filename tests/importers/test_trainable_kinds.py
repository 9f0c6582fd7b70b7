"""Files as other programs write them: each kind trains all its float weights, or says why not."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import GradientError
from support.importers.kinds import KINDS
from support.importers.kinds.reading import model_of

ROWS = 3
BOUND = {"voice activity with a rate as a scalar input": {"sr": 16000}}
"""Inputs that get one value for good."""
LEFT_OUT = {"voice activity with a rate as a scalar input": {"narrow", "narrow_bias"}}
"""Weights of a branch that is never taken."""
CONSTANT = {"weights in Constant nodes, by PaddlePaddle": ["kernel", "bias", "w", "b"]}
"""Weights that the text writes with their values."""
BLOCKED = {
    "dynamic int8, by ONNX Runtime's quantizer": (
        r"operator DynamicQuantizeLinear \(domain 'ai.onnx'\), node '.*/q', .*: no gradient: "
        r"rounds to integers. It blocks the gradient of \['.*/first'\]"
    )
}
"""Kinds that cannot be trained, and what they say."""

ALIKE = {
    "CNN, newer exporter, batch 1",
    "CNN, older exporter, batch 1",
    "GRU, newer exporter",
    "U-Net with ConvTranspose and Resize",
    "Attention and RMSNormalization of set 23",
    "BiasGelu, FastGelu, QuickGelu and Gelu",
    "CumProd of set 26",
    "FusedMatMul",
    "GRU in two directions",
    "Swish of set 24",
    "float16 with float32 at both ends",
    "transformer encoder",
    "LSTM",
    "MultiHeadAttention",
    "attention by its formula",
    "fake quantization (QDQ) of float weights",
    "mobile CNN with squeeze and excitation",
    "residual CNN with BatchNormalization",
}
"""Kinds of which a neighbour goes the same ways through the import."""


def data_for(signature: dict, rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    arrays = []
    for shape, dtype in signature.values():
        sizes = (rows, *shape[1:])
        whole = np.dtype(dtype).kind == "i"
        arrays.append(rng.integers(0, 2, sizes) if whole else rng.normal(size=sizes))
        arrays[-1] = arrays[-1].astype(dtype)
    return arrays


def reference(model: onnx.ModelProto, feeds: dict[str, np.ndarray], batch: int) -> list:
    """Results of the file itself elsewhere, in batches of the size that it takes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        run = onnxruntime.InferenceSession(model.SerializeToString(), options).run
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:  # no kernel for its set
        run = ReferenceEvaluator(model).run
    runs = []
    for start in range(0, len(next(iter(feeds.values()))), batch):
        runs.append(
            run(None, {k: v[start : start + batch] if v.ndim else v for k, v in feeds.items()})
        )
    return [np.concatenate(parts) for parts in zip(*runs, strict=True)]


def built(kind: str) -> tuple[onnx.ModelProto, list[str], keras.Model, layers.ONNXModel]:
    model, weights = model_of(KINDS[kind])
    if model.opset_import[0].version > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} does not know this operator set")
    network = layers.ONNXModel(model, inputs=BOUND.get(kind), name="net")
    inputs = [keras.Input(shape[1:], dtype=dtype) for shape, dtype in network.signature.values()]
    outputs = network(inputs if len(inputs) > 1 else inputs[0])
    made = keras.Model(inputs, outputs)
    made.compile(keras.optimizers.SGD(0.5), "mse")
    return model, weights, made, network


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.slow) if kind in ALIKE else kind
        for kind in KINDS
        if kind not in BLOCKED
    ],
)
def test_every_float_weight_of_a_file_moves_and_the_rest_is_as_it_was(kind):
    file, weights, model, network = built(kind)
    wanted = CONSTANT.get(kind, [name for name in weights if name not in LEFT_OUT.get(kind, ())])
    statistics = {"mean", "variance"}
    assert {w.name for w in network.trainable_weights} == set(wanted) - statistics
    first = file.graph.input[0].type.tensor_type.shape.dim[0]
    rows = 2 * first.dim_value or ROWS
    x = data_for(network.signature, rows)
    named = dict(zip(network.signature, x, strict=True))
    bound = {k: np.asarray(v) for k, v in BOUND.get(kind, {}).items()}
    expected = reference(file, named | bound, first.dim_value or rows)
    before = [w.numpy() for w in network.trainable_weights]
    targets = [np.zeros_like(y) for y in expected]
    loss = model.train_on_batch(
        x if len(x) > 1 else x[0], targets if len(targets) > 1 else targets[0]
    )
    # The loss before the first update is the mean square of what the file itself computes.
    squares = sum(np.mean(np.square(y.astype(np.float64))) for y in expected)
    assert np.ravel(loss)[0] == pytest.approx(squares, rel=5e-3 if "float16" in kind else 1e-4)
    still = [
        w.name
        for w, old in zip(network.trainable_weights, before, strict=True)
        if np.array_equal(w.numpy(), old)
    ]
    assert still == []


@pytest.mark.parametrize("kind", BLOCKED)
def test_a_file_that_cannot_be_trained_says_what_blocks_it(kind):
    _, _, model, network = built(kind)
    x = data_for(network.signature, ROWS)[0]
    with pytest.raises(GradientError, match=BLOCKED[kind]):
        model.train_on_batch(x, np.zeros((ROWS, 2), np.float32))


def test_at_least_33_kinds_are_tried_and_28_train():
    assert len(KINDS) >= 33
    assert len(KINDS) - len(BLOCKED) >= 28
