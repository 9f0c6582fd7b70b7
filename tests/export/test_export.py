"""An exported file is small, standard, and computes what `predict` computes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers


def conv_stack(channels: int) -> list[keras.Layer]:
    return [
        keras.Input((12, 10, channels)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
        layers.ZeroPadding2D(1),
        layers.Conv2D(5, 2, use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.LeakyReLU(),
        layers.AveragePooling2D(2, strides=1),
    ]


def trained(stack: list[keras.Layer]) -> keras.Sequential:
    """A model whose statistics and weights have moved."""
    model = keras.Sequential(stack)
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, *model.input_shape[1:]))
    model.fit(x, rng.normal(size=(16, *model.output_shape[1:])), epochs=3, verbose=0)
    return model


def agree(model: keras.Sequential, path: object) -> onnx.ModelProto:
    """Check that plain ONNX Runtime computes what `predict` does, for several batch sizes."""
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in (1, 7):
        x = np.random.default_rng(size).normal(size=(size, *model.input_shape[1:]))
        (got,) = session.run(None, {"input": x.astype(np.float32)})
        want = model.predict(x, verbose=0)
        np.testing.assert_allclose(got, want, atol=1e-5 * max(1, np.abs(want).max()))
    return proto


def kinds(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("spatial_end", [True, False])
def test_convolution_stack_holds_no_transposes_but_at_its_ends(tmp_path, channels, spatial_end):
    end = [] if spatial_end else [layers.GlobalMaxPooling2D(), layers.Dense(3)]
    model = trained([*conv_stack(channels), *end])
    model.export(tmp_path / "m.onnx")
    operators = kinds(agree(model, tmp_path / "m.onnx"))
    assert operators.count("Transpose") == (channels > 1) + spatial_end
    assert "Dropout" not in operators


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Conv2D(4, 3), layers.BatchNormalization()],
        [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()],
        [layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(center=False)],
        [layers.Flatten(), layers.Dense(4), layers.BatchNormalization()],
        [layers.Flatten(), layers.Dense(4, use_bias=False), layers.BatchNormalization()],
    ],
    ids=["conv", "conv-no-bias", "conv-same", "dense", "dense-no-bias"],
)
def test_batch_normalization_goes_into_the_layer_before_it(tmp_path, stack):
    model = trained([keras.Input((6, 6, 2)), *stack])
    model.export(tmp_path / "m.onnx")
    proto = agree(model, tmp_path / "m.onnx")
    assert "BatchNormalization" not in kinds(proto)
    assert sum(kind in {"Conv", "Gemm"} for kind in kinds(proto)) == 1
    owners = {layer.name for layer in model.layers}
    for node in proto.graph.node:
        assert node.name.split("/")[0] in owners, node.name
    for tensor in proto.graph.initializer:
        assert tensor.name.split("/")[0] in owners, tensor.name


def test_batch_normalization_that_follows_nothing_stays(tmp_path):
    model = trained([keras.Input((5,)), layers.BatchNormalization(), layers.Dense(2)])
    model.export(tmp_path / "m.onnx")
    assert kinds(agree(model, tmp_path / "m.onnx")) == ["BatchNormalization", "Gemm"]


def test_file_says_what_it_is(tmp_path):
    model = trained(
        [keras.Input((4,)), layers.Dense(3, name="a", trainable=False), layers.Dense(2, name="b")]
    )
    model.export(tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    assert proto.ir_version == 8
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    assert proto.producer_name == "seqonnx"
    assert proto.graph.name == model.name
    metadata = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert metadata["seqonnx.layers"] == [
        {"name": "a", "class_name": "Dense", "trainable": False, "output_shape": [None, 3]},
        {"name": "b", "class_name": "Dense", "trainable": True, "output_shape": [None, 2]},
    ]
    assert metadata["seqonnx.config"]["class_name"] == "Sequential"
    assert [node.name for node in proto.graph.node] == ["a/Gemm", "b/Gemm"]
    (given,), (result,) = proto.graph.input, proto.graph.output
    assert (given.name, result.name) == ("input", "b")
    for value, size in ((given, 4), (result, 2)):
        dims = value.type.tensor_type.shape.dim
        assert (dims[0].dim_param, dims[1].dim_value) == ("batch", size)


def test_input_keeps_its_name_and_names_clash_without_harm(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,), name="pixels"), layers.Dense(3, name="input"), layers.Dense(2)]
    )
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.get_inputs()[0].name == "pixels"
    clash = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2, name="input")])
    clash.export(tmp_path / "c.onnx")
    onnxruntime.InferenceSession(tmp_path / "c.onnx")


def test_open_sizes_stay_open_under_their_names(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, None, 2)), layers.Conv2D(3, 3), layers.GlobalMaxPooling2D()]
    )
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.get_inputs()[0].shape == ["batch", "input_1", "input_2", 2]
    for shape in ((1, 5, 9, 2), (3, 8, 4, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        (got,) = session.run(None, {"input": x})
        np.testing.assert_allclose(got, model(x), rtol=1e-5, atol=1e-6)


def test_same_model_gives_the_same_bytes(tmp_path):
    files = []
    for number in range(2):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(7)
        model = trained(conv_stack(3))
        model.export(tmp_path / f"{number}.onnx")
        model.save(tmp_path / f"{number}.saved.onnx")
        files.append([(tmp_path / f"{number}{end}.onnx").read_bytes() for end in ("", ".saved")])
    assert files[0] == files[1]


def test_model_without_weights_and_nested_models_export(tmp_path):
    keras.Sequential([keras.Input((2,)), layers.Dropout(0.5)]).export(tmp_path / "id.onnx")
    x = np.ones((3, 2), np.float32)
    (got,) = onnxruntime.InferenceSession(tmp_path / "id.onnx").run(None, {"input": x})
    np.testing.assert_array_equal(got, x)
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d")], name="base")
    model = trained([keras.Input((4,)), base, layers.BatchNormalization(), layers.Dense(2)])
    model.export(tmp_path / "n.onnx")
    proto = agree(model, tmp_path / "n.onnx")
    assert proto.graph.node[0].name == "base/d/Gemm"


def test_what_cannot_be_exported(tmp_path):
    model = keras.Sequential([layers.Dense(1)])
    with pytest.raises(
        ValueError,
        match=r"^The model provided has not yet been built. It must be built before export.$",
    ):
        model.export(tmp_path / "m.onnx")
    model.build((None, 3))
    with pytest.raises(ValueError, match="Invalid filepath extension: models are exported as"):
        model.export(tmp_path / "m.pb")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model.export(tmp_path / "absent" / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_own_layer_with_settings_that_json_lacks_still_exports(tmp_path):
    class Add(keras.Layer):
        def __init__(self, by, **options):
            super().__init__(**options)
            self.by = by

        def call(self, op, x, training):
            return op.Add(x, self.by.astype(np.float32))

        def get_config(self):
            return super().get_config() | {"by": self.by, "kind": type(self)}

    model = keras.Sequential([keras.Input((2,)), Add(np.array([1.0, 2.0]))])
    model.export(tmp_path / "m.onnx")
    agree(model, tmp_path / "m.onnx")
