"""Nine published architectures from the onnx package: loaded, run, and trained for one step.

The files hold no trained weights: nodes make constants of them. Where it is said, these nodes are
replaced by weights drawn at random.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.layers import Layer

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
FILES = sorted(FOLDER.glob("light_*.onnx"))
SIZE = (3, 224, 224)


class Gain(Layer):
    """Multiplies every channel: a weight below the network, whose gradient passes all of it."""

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[1], 1, 1), "ones", name="gain")

    def call(self, op, x, training):
        return op.Mul(x, self.gain)


TOO_LARGE = {"vgg19", "zfnet512"}
"""Files of some hundred bytes that make 300 MB and more of constants."""
SLOW = {"densenet121", "inception_v1", "inception_v2"}
LIGHT = [
    pytest.param(path, id=name, marks=pytest.mark.slow if name in SLOW else ())
    for path in FILES
    for name in [path.stem.removeprefix("light_")]
]


def scores(model: onnx.ModelProto) -> str:
    """The input of the last Softmax, or the output where there is none."""
    last = model.graph.node[-1]
    return last.input[0] if last.op_type == "Softmax" else model.graph.output[0].name


def plain(model: onnx.ModelProto, output: str, x: np.ndarray) -> np.ndarray:
    """Plain ONNX Runtime's result for one tensor of a file, at the file's batch of one."""
    if output != model.graph.output[0].name:
        model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name=output))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    weights = {t.name for t in model.graph.initializer}
    (name,) = (v.name for v in model.graph.input if v.name not in weights)
    return session.run(None, {name: x})[0]


def drawn(path: Path) -> onnx.ModelProto:
    """A file with random weights of a sensible size in place of its constants."""
    model = onnx.load(path)
    graph = model.graph
    sizes = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    rng = np.random.default_rng(0)
    for node in [n for n in graph.node if n.op_type == "ConstantOfShape"]:
        shape = [int(d) for d in sizes[node.input[0]]]
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.0
        array = rng.normal(scale=scale, size=shape) if scale else rng.uniform(0.5, 1.5, shape)
        graph.initializer.append(
            onnx.numpy_helper.from_array(array.astype(np.float32), node.output[0])
        )
        graph.node.remove(node)
    model.ir_version = 8
    return model


def test_all_nine_are_here():
    assert len(FILES) == 9


@pytest.mark.parametrize("name", sorted(TOO_LARGE))
def test_weights_of_hundreds_of_mb_that_a_file_only_computes_are_refused(name):
    with pytest.raises(ModelFileError, match=r"makes [\d,]+ bytes from constants alone"):
        layers.ONNXModel(FOLDER / f"light_{name}.onnx")


@pytest.mark.filterwarnings("ignore:.*finds nothing to train")
@pytest.mark.parametrize("path", [case for case in LIGHT if case.id not in TOO_LARGE])
def test_architecture_predicts_as_the_runtime_does_and_takes_a_training_step(path):
    x = np.random.default_rng(0).random((1, *SIZE)).astype(np.float32)
    output = scores(onnx.load(path))
    expected = plain(onnx.load(path), output, x)
    largest = float(np.abs(expected).max())
    base = layers.ONNXModel(path, outputs=output, name="base")
    # The constants make huge scores of the image, so they are brought to 1.
    model = keras.Sequential([keras.Input(SIZE), Gain(), base, layers.Rescaling(1 / largest)])
    predicted = model.predict(x, verbose=0) * largest
    np.testing.assert_allclose(predicted, expected, rtol=1e-3, atol=1e-4 * largest)
    assert model.output_shape == (None, *expected.shape[1:])

    model.compile("sgd", "mse")
    before = model.get_weights()
    assert model.train_on_batch(x, expected / largest - 1) == pytest.approx(1, rel=1e-3)
    moved = [
        v
        for v, old in zip(model.weights, before, strict=True)
        if not np.array_equal(v.numpy(), old)
    ]
    assert set(moved) <= set(model.trainable_weights)
    assert all(np.isfinite(v.numpy()).all() for v in moved)
    assert len(moved) > 0


def test_architecture_with_random_weights_learns_everywhere():
    model = drawn(FOLDER / "light_squeezenet.onnx")
    x = np.random.default_rng(1).normal(size=(2, *SIZE)).astype(np.float32)
    output = scores(model)
    base = layers.ONNXModel(model, outputs=output, name="base")
    expected = np.concatenate([plain(model, output, row[np.newaxis]) for row in x])
    largest = float(np.abs(expected).max())
    head = [layers.Rescaling(1 / largest), layers.Flatten(), layers.Dense(2, activation="softmax")]
    net = keras.Sequential([base, *head])
    np.testing.assert_allclose(base(x), expected, rtol=1e-2, atol=1e-3 * largest)
    assert expected.std(axis=0).max() > 0  # the two images are told apart
    net.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    before = net.get_weights()
    losses = [net.train_on_batch(x, np.array([0, 1])) for _ in range(2)]
    assert losses[1] < losses[0]
    for variable, old in zip(net.weights, before, strict=True):
        assert np.array_equal(variable.numpy(), old) != variable.trainable, variable.path
