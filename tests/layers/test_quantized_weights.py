"""Large weights as integers, as Keras 3.15.1's `quantize` has them: values, files, gradients."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import seqonnx
from seqonnx import Sequential, layers, models, quantizers
from seqonnx.export.keras_weights import _part
from seqonnx.layers import Input
from seqonnx.layers.standing import merged_values

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"
RECORDED = json.loads((SAMPLES / "quantized.json").read_text("utf-8"))
"""Written by `write_quantized_sample.py` beside them."""

INT8, INT4 = quantizers.Int8QuantizationConfig, quantizers.Int4QuantizationConfig
KINDS = {
    "dense": lambda: layers.Dense(3, activation="tanh"),
    "dense of sequences": lambda: layers.Dense(3, use_bias=False),
    "einsum": lambda: layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"),
    "einsum of heads": lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
    "einsum from heads": lambda: layers.EinsumDense("abcd,cde->abe", (None, 3), bias_axes="e"),
    "einsum turned": lambda: layers.EinsumDense("abc,dec->abed", (None, 4, 3)),
    "embedding": lambda: layers.Embedding(7, 5),
    "reversible": lambda: layers.ReversibleEmbedding(7, 5),
    "reversible of two": lambda: layers.ReversibleEmbedding(7, 5, tie_weights=False),
}
CONFIGS = {
    "int8": INT8,
    "int8 of weights": lambda: INT8(activation_quantizer=None),
    "int4": lambda: INT4(block_size=None),
    "int4 of inputs": lambda: INT4(None, quantizers.AbsMaxQuantizer(), block_size=None),
    "int4 in blocks": lambda: INT4(block_size=2),
}
every_case = pytest.mark.parametrize("case", RECORDED)


def quantized(case):
    """The layer of a case, quantised as Keras has done it, and its input."""
    kind, form = case.split(", ")
    layer, found = KINDS[kind](), RECORDED[case]
    x = np.array(found["x"])
    x = x if x.dtype.kind == "i" else x.astype(np.float32)
    layer.build(x.shape)
    layer.set_weights([np.array(value, np.float32) for value in found["given"]])
    layer.quantize(config=CONFIGS[form]())
    return layer, x


@every_case
def test_weights_and_outputs_are_those_of_keras(case):
    (layer, x), found = quantized(case), RECORDED[case]
    assert layer.dtype_policy.name == found["policy"]
    assert [v.name for v in layer.weights] == found["names"]
    for weight, wanted in zip(layer.get_weights(), found["weights"], strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(x), found["y"], rtol=1e-5, atol=3e-5)
    if "scores" in found:
        scores = layer(np.array(found["back"], np.float32), reverse=True)
        np.testing.assert_allclose(scores, found["scores"], rtol=1e-5, atol=3e-5)


@every_case
def test_gradient_of_the_input_is_that_of_the_float_weight(case):
    """As Keras has it: rounded inputs count as they are, the weight as the one it stands for."""
    (layer, x), found = quantized(case), RECORDED[case]
    if x.dtype.kind == "i" or "gradient" not in found:
        pytest.skip("integers have no gradient, or Keras fails at it")
    slope = seqonnx.grad(lambda data: seqonnx.ops.sum(layer(data)))(x)
    np.testing.assert_allclose(slope, found["gradient"], rtol=1e-4, atol=1e-4)


@every_case
def test_adapter_adds_the_product_with_the_input_as_it_is(case):
    (layer, x), found = quantized(case), RECORDED[case]
    if "factors" not in found:
        pytest.skip("Keras fails there")
    layer.enable_lora(2, lora_alpha=3.0)
    assert [v.name for v in layer.weights] == found["names with an adapter"]
    factors = [v for v in layer.weights if "lora" in v.name]
    for factor, value in zip(factors, found["factors"], strict=True):
        factor.assign(value)
    np.testing.assert_allclose(layer(x), found["adapted"], rtol=1e-5, atol=5e-5)
    trained = [v.name for v in layer.trainable_weights]
    assert trained == [name for name in found["names"] if name == "bias"] + [
        v.name for v in factors
    ]
    with pytest.warns(UserWarning, match="quantised again. The largest error of rounding is"):
        merged = merged_values([layer], {v: v._stored() for v in layer.weights})
    part = _part(layer, set())
    assert [list(v.shape) for v in part.variables] == found["stored"]
    for variable, wanted in zip(part.variables, found["merged"], strict=True):
        given = merged[variable]
        if given.dtype == np.int8:  # a number between two integers may go to either
            apart = np.abs(given.astype(int) - wanted)
            assert (apart > 0).mean() < 0.05
        else:
            np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-5)


def network():
    """Layers of each kind, as in the samples."""
    inputs = Input((4,), dtype="int32")
    x = layers.Embedding(9, 6, name="table")(inputs)
    x = layers.EinsumDense("abc,cd->abd", (4, 5), activation="relu", name="einsum")(x)
    x = layers.Dense(3, name="dense")(layers.Flatten()(x))
    model = models.Model(inputs, layers.Dense(2, name="plain")(x), name="quantized")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=v.shape) for v in model.weights])
    return model


X = np.arange(12).reshape(3, 4) % 9
OF_MODELS = json.loads((SAMPLES / "quantized_models.json").read_text("utf-8"))
every_form = pytest.mark.parametrize("form", ["int8", "int4"])


@every_form
def test_model_is_quantised_as_by_keras(form):
    model = network()
    model.quantize(form, filters=["table", "einsum", "dense"])
    assert [v.path for v in model.weights] == OF_MODELS[form]["names"]
    np.testing.assert_allclose(model(X), OF_MODELS[form]["y"], rtol=1e-5, atol=1e-4)


@every_form
def test_file_that_keras_wrote_computes_the_same(form):
    pytest.importorskip("h5py", reason="needs seqonnx[keras]")
    model = models.load_model(SAMPLES / f"quantized_{form}.keras")
    assert [v.path for v in model.weights] == OF_MODELS[form]["names"]
    np.testing.assert_allclose(model(X), OF_MODELS[form]["y"], rtol=1e-5, atol=1e-4)
    other = network()
    other.quantize(form, filters="table|einsum|dense")
    other.set_weights([np.zeros(v.shape) for v in other.weights])
    other.load_weights(SAMPLES / f"quantized_{form}.keras")
    np.testing.assert_array_equal(other(X), model(X))


@every_form
@pytest.mark.parametrize("ending", [".keras", ".onnx", ".weights.h5", ".npz", ".h5"])
def test_files_hold_the_integers(form, ending, tmp_path):
    if ending not in {".onnx", ".npz"}:
        pytest.importorskip("h5py", reason="needs seqonnx[keras]")
    model = network()
    model.quantize(form, filters=["table", "einsum", "dense"])
    if ending in {".keras", ".onnx", ".h5"}:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if ending == ".h5" else "error")  # a legacy format
            model.save(tmp_path / f"m{ending}")
        again = models.load_model(tmp_path / f"m{ending}")
    else:
        model.save_weights(tmp_path / f"m{ending}")
        again = models.clone_model(model)
        again.load_weights(tmp_path / f"m{ending}")
    for old, new in zip(model.weights, again.weights, strict=True):
        assert (old.path, old.dtype) == (new.path, new.dtype)
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(again(X), model(X))
    names = ("table", "einsum", "dense")
    for name in names:
        assert again.get_layer(name).get_config() == model.get_layer(name).get_config()


def large():
    """Layers whose weights are most of their file."""
    model = Sequential(
        [
            Input((256,)),
            layers.Dense(256),
            layers.EinsumDense("ab,bcd->acd", (8, 32)),
            layers.EinsumDense("acd,cde->ae", 256),
        ]
    )
    return model


@pytest.mark.parametrize(
    ("form", "share", "opset"), [("int8", 0.27, 18), ("int4", 0.17, 13), ("int4", 0.17, 23)]
)
def test_exported_file_holds_the_integers(form, share, opset, tmp_path):
    """A quarter and an eighth of the bytes, and for int4 a scale and a zero for 128 inputs."""
    model, x = large(), np.random.default_rng(2).normal(size=(3, 256)).astype(np.float32)
    model.export(tmp_path / "float.onnx")
    model.quantize(form)
    model.export(tmp_path / "integers.onnx", opset=opset)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("integers", "float")]
    assert sizes[0] / sizes[1] < share
    session = onnxruntime.InferenceSession(tmp_path / "integers.onnx")
    (given,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(given, model.predict(x, verbose=0), rtol=1e-4, atol=1e-4)


def test_integers_stay_as_they_are_while_the_rest_trains():
    model = network()
    model.quantize("int8")
    y = np.ones((3, 2), np.float32)
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, y, verbose=0)
    moved = [
        variable.path
        for variable, value in zip(model.weights, before, strict=True)
        if not np.array_equal(variable, value)
    ]
    assert moved == ["dense/bias", "plain/bias"]
    for name in ("table", "dense"):
        model.get_layer(name).enable_lora(2)
    model.compile("adam", "mse")
    losses = model.fit(X, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert [v.path for v in model.trainable_weights] == [
        *("table/lora_embeddings_a", "table/lora_embeddings_b"),
        *("dense/bias", "dense/lora_kernel_a", "dense/lora_kernel_b", "plain/bias"),
    ]
    assert len(model.optimizer.variables) == 2 + 2 * 6


def test_model_that_was_quantised_after_compile_predicts_and_says_that_it_must_be_compiled():
    model = network()
    model.compile("sgd", "mse")
    before = model.predict(X, verbose=0)
    model.quantize("int8")
    apart = np.abs(model.predict(X, verbose=0) - before).max()
    assert 0 < apart < 0.1 * np.abs(before).max()
    with pytest.raises(
        ValueError, match=r"Call `compile\(\)` again. New weights: \['dense/kernel'"
    ):
        model.fit(X, np.ones((3, 2)), verbose=0)


def test_layer_made_with_the_dtype_has_integers_from_the_start():
    layer = layers.Dense(3, dtype="int8_from_float32")
    layer.build((None, 4))
    assert [(v.name, v.dtype) for v in layer.weights] == [
        *(("bias", "float32"), ("kernel", "int8"), ("kernel_scale", "float32")),
    ]
    assert (layer.dtype, layer.compute_dtype, layer.quantization_mode) == (
        *("float32", "float32", "int8"),
    )
    kernel = np.array([[2, 0, 0], [0, 4, 0], [0, 0, 1], [0, 0, 0]])
    layer.set_weights([[0, 0, 1], kernel, [2.0, 2.0, 0.5]])
    x = np.array([[127, 1, 2, 3]], np.float32)  # integers up to 127 stay as they are
    np.testing.assert_allclose(layer(x), [[127, 2, 5]], rtol=1e-6)


def test_mixed_dtype_computes_in_it():
    layer = layers.Dense(3, dtype="mixed_float16")
    layer.build((None, 4))
    x = np.ones((2, 4), np.float32)
    before = layer(x)
    layer.quantize("int4")
    assert layer.dtype_policy.name == "int4/128_from_mixed_float16"
    y = layer(x)
    assert (layer.compute_dtype, y.dtype.name) == ("float16", "float16")
    np.testing.assert_allclose(y, before, atol=0.3)
    layer = layers.Dense(3, dtype="mixed_bfloat16")
    layer.build((None, 4))
    layer.quantize("int8")  # the processor has no kernels to compute with
    assert layer.dtype_policy.name == "int8_from_mixed_bfloat16"


class Doubling(quantizers.Quantizer):
    """Integers of half the numbers' size, so that what is rounded shows."""

    def __call__(self, x, axis=None, to_numpy=False):
        return seqonnx.ops.cast(seqonnx.ops.round(x * 2.0), "int8"), seqonnx.ops.ones_like(x) * 2.0


def test_quantizer_of_ones_own_rounds_the_inputs():
    layer = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    layer.build((None, 2))
    layer.quantize(config=INT8(activation_quantizer=Doubling()))
    x = np.array([[0.6, 1.1]], np.float32)
    np.testing.assert_allclose(layer(x), [[0.5 + 1.0]], rtol=1e-6)
    slope = seqonnx.grad(lambda data: seqonnx.ops.sum(layer(data)))(x)
    np.testing.assert_allclose(slope, [[1, 1]], rtol=1e-6)


def test_own_range_and_axis_of_weights_count():
    layer = layers.Dense(2, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([[[1.0, -2.0], [0.5, 1.0]]])
    layer.quantize(config=INT8(quantizers.AbsMaxQuantizer(axis=0, value_range=(-100, 100))))
    assert layer.kernel.numpy().tolist() == [[100, -100], [50, 50]]
    again = layers.Dense(2)
    again.build((None, 3))
    with pytest.raises(
        ValueError, match=r"gives a scale of shape \(3, 1\) for a weight that needs"
    ):
        again.quantize(config=INT8(quantizers.AbsMaxQuantizer(axis=1)))


def test_layers_inside_layers_are_quantised():
    inputs = Input((3, 4))
    x = layers.TimeDistributed(layers.Dense(4))(inputs)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    model = models.Model(inputs, models.Sequential([layers.Dense(2)])(x))
    model.quantize("int8")
    assert sum(v.dtype == "int8" for v in model.weights) == 1 + 4 + 1
    assert model.predict(np.ones((2, 3, 4)), verbose=0).shape == (2, 3, 2)


@pytest.mark.parametrize("ending", [".onnx", ".keras"])
def test_integers_that_a_configuration_does_not_tell_are_not_saved(ending, tmp_path):
    """Keras's file of such a model cannot be loaded again."""
    pytest.importorskip("h5py", reason="needs seqonnx[keras]")
    inputs = Input((3, 4))
    x = layers.TimeDistributed(layers.Dense(4))(inputs)
    model = models.Model(inputs, layers.MultiHeadAttention(2, 3, name="m")(x, x))
    model.quantize("int8", filters=lambda layer: not isinstance(layer, layers.EinsumDense))
    model.save(tmp_path / f"told{ending}")
    data = np.ones((2, 3, 4), np.float32)
    again = models.load_model(tmp_path / f"told{ending}")
    np.testing.assert_array_equal(again(data), model(data))
    model.quantize("int8", filters=lambda layer: isinstance(layer, layers.EinsumDense))
    with pytest.raises(
        ValueError, match=r"Layer 'm' \(MultiHeadAttention\) cannot be saved: query"
    ):
        model.save(tmp_path / f"untold{ending}")


def test_layers_without_a_form_of_integers_are_named():
    model = Sequential([Input((6, 2)), layers.Conv1D(3, 2, name="c"), layers.Dense(2)])
    with pytest.warns(UserWarning, match=r"keep their floating-point weights: 'c' \(Conv1D\)"):
        model.quantize("int8")
    with pytest.warns(UserWarning, match=r"No layer was quantised. Layers considered: \[\]"):
        model.quantize("int8", filters="none")


class Own(layers.Dense):
    """A class of the user's."""


def test_classes_of_ones_own_are_quantised_when_they_are_said_to_be_alike():
    model = Sequential([Input((4,)), Own(3, name="o")])
    with pytest.warns(UserWarning, match=r"'o' \(Own\)"):
        model.quantize("int8")
    assert model.layers[0].quantization_mode is None
    with pytest.raises(NotImplementedError, match="pass `type_check=False`"):
        model.layers[0].quantize("int8")
    model.quantize("int8", type_check=False)
    assert model.layers[0].quantization_mode == "int8"


def test_obstacles_are_named():
    layer = layers.Dense(3, name="d")
    with pytest.raises(ValueError, match=r"isn't yet built. Layer 'd' \(of type 'Dense'\) is not"):
        layer.quantize("int8")
    layer.build((None, 4))
    for mode in ("int7", "gptq", "float8"):
        with pytest.raises(ValueError, match=r"Invalid quantization mode. Expected one of \('int8"):
            layer.quantize(mode)
    with pytest.raises(ValueError, match="You must provide either `mode` or `config`"):
        layer.quantize()
    with pytest.raises(ValueError, match=r"mode='int4' but config\.mode='int8'"):
        layer.quantize("int4", config=INT8())
    with pytest.raises(ValueError, match="must be an instance of `QuantizationConfig`"):
        layer.quantize("int8", config={})
    layer.quantize("int8")
    with pytest.raises(ValueError, match="already quantized with dtype_policy='int8_from_float32'"):
        layer.quantize("int4")
    half = layers.Dense(3, dtype="float16")
    half.build((None, 4))
    with pytest.raises(ValueError, match="does not go with compute_dtype='float16'"):
        half.quantize("int8")
    with pytest.raises(ValueError, match="Layer Conv1D has no form whose weights are stored as"):
        layers.Conv1D(2, 2, dtype="int8_from_float32")
    with pytest.raises(ValueError, match=r"cannot be given\. Make the layer without"):
        layers.Embedding(2, 2, weights=np.eye(2), dtype="int8_from_float32")
    with pytest.raises(ValueError, match="The second matrix of layer 'r' becomes int8 only"):
        layers.ReversibleEmbedding(
            2, 2, tie_weights=False, dtype="int4_from_float32", name="r"
        ).build()
    with pytest.raises(ValueError, match="Contradictory arguments: mode='int8'"):
        layers.Dense(2, dtype="int8_from_float32", quantization_config=INT4()).build((None, 2))
    with pytest.raises(ValueError, match="`gptq_unpacked_column_size` of layer"):
        layers.EinsumDense("ab,bc->ac", 2, gptq_unpacked_column_size=4)
    with pytest.raises(ValueError, match="Could not interpret quantizer identifier: int8"):
        layers.Dense(2, quantization_config="int8")


def test_models_say_what_is_legal():
    model = network()
    for arguments in ({"mode": "qat"}, {"form": "int4", "mode": "qat"}):
        with pytest.raises(ValueError, match="Only int8 is there for training with the rounding"):
            model.quantize(**arguments)
    with pytest.raises(ValueError, match="Received: 'int8', mode='int4'"):
        model.quantize("int8", mode="int4")
    with pytest.raises(ValueError, match="The `filters` argument must be a regex string"):
        model.quantize("int8", filters=3)
    with pytest.raises(ValueError, match="You must provide either a form"):
        model.quantize()
    model.quantize("int8", mode="qat", filters="dense")
    with pytest.raises(ValueError, match="is rounded while it trains"):
        model.quantize("int8")
    assert model.get_layer("table").quantization_mode is None  # nothing has changed


def test_a_layer_that_names_its_configuration_is_quantised_by_it():
    layer = layers.Dense(2, quantization_config=INT8(activation_quantizer=None))
    layer.build((None, 2))
    layer.quantize("int8")
    assert layer.quantization_config.activation_quantizer is None
