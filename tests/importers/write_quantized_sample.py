"""Record layers and models that Keras has quantised; run with Keras 3.15.1 on the torch backend.

KERAS_BACKEND=torch python tests/importers/write_quantized_sample.py
"""

import json
from pathlib import Path

import keras
import numpy as np
import torch
from keras import layers, quantizers

SAMPLES = Path(__file__).parent / "samples"
INT8, INT4 = quantizers.Int8QuantizationConfig, quantizers.Int4QuantizationConfig

LAYERS = {
    "dense": (lambda: layers.Dense(3, activation="tanh"), (4, 5)),
    "dense of sequences": (lambda: layers.Dense(3, use_bias=False), (2, 3, 5)),
    "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), (2, 3, 5)),
    "einsum of heads": (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
        (2, 3, 5),
    ),
    "einsum from heads": (
        lambda: layers.EinsumDense("abcd,cde->abe", (None, 3), bias_axes="e"),
        (2, 3, 2, 4),
    ),
    "einsum turned": (lambda: layers.EinsumDense("abc,dec->abed", (None, 4, 3)), (2, 3, 5)),
    "embedding": (lambda: layers.Embedding(7, 5), None),
    "reversible": (lambda: layers.ReversibleEmbedding(7, 5), None),
    "reversible of two": (lambda: layers.ReversibleEmbedding(7, 5, tie_weights=False), None),
}
WITHOUT_ADAPTER = ("einsum turned",)
"""Keras fails there: it takes the last axis of the kernel for an output."""

CONFIGS = {
    "int8": INT8,
    "int8 of weights": lambda: INT8(activation_quantizer=None),
    "int4": lambda: INT4(block_size=None),
    "int4 of inputs": lambda: INT4(None, quantizers.AbsMaxQuantizer(), block_size=None),
    "int4 in blocks": lambda: INT4(block_size=2),
}


def plain(value):
    array = keras.ops.convert_to_numpy(value)
    return (array if array.dtype.kind == "i" else array.astype("float64").round(6)).tolist()


def record(make, shape, config, *, adapt):
    """One layer: its weights before and after, an input, the output and the gradient of its sum."""
    rng = np.random.default_rng(5)
    layer = make()
    x = rng.integers(0, 7, (2, 3)) if shape is None else rng.normal(size=shape).astype("float32")
    layer.build(x.shape)
    given = [rng.normal(size=v.shape).astype("float32") for v in layer.weights]
    layer.set_weights(given)
    layer.quantize(config=config)
    found = {"given": [plain(v) for v in given], "x": plain(x), "y": plain(layer(x))}
    found["names"] = [v.name for v in layer.weights]
    found["weights"] = [plain(v.value) for v in layer.weights]
    found["policy"] = layer.dtype_policy.name
    store = {}
    layer.save_own_variables(store)
    found["stored"] = [list(keras.ops.shape(store[str(i)])) for i in range(len(store))]
    if isinstance(layer, layers.ReversibleEmbedding):
        back = rng.normal(size=(2, 5)).astype("float32")
        found |= {"back": plain(back), "scores": plain(layer(back, reverse=True))}
    if shape is not None:
        data = torch.tensor(x, requires_grad=True)
        try:
            layer(data).sum().backward()
            found["gradient"] = plain(data.grad)
        except RuntimeError as error:  # of an einsum, Keras scales a kernel twice without inputs
            print(f"no gradient: {error}")
    if not adapt:
        return found
    layer.enable_lora(2, lora_alpha=3.0)
    factors = [v for v in layer.weights if "lora" in v.name]
    for factor in factors:
        factor.assign(rng.normal(size=factor.shape))
    found["factors"] = [plain(v.value) for v in factors]
    found["names with an adapter"] = [v.name for v in layer.weights]
    found["adapted"] = plain(layer(x))
    store = {}
    layer.save_own_variables(store)
    found["merged"] = [plain(store[str(i)]) for i in range(len(store))]
    return found


def write_layers():
    found = {}
    for kind, (make, shape) in LAYERS.items():
        for form, config in CONFIGS.items():
            if kind == "reversible of two" and "int4" in form:
                continue
            found[f"{kind}, {form}"] = record(
                make, shape, config(), adapt=kind not in WITHOUT_ADAPTER
            )
    (SAMPLES / "quantized.json").write_text(json.dumps(found, separators=(",", ":")), "utf-8")


def model_of(form):
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(9, 6, name="table")(inputs)
    x = layers.EinsumDense("abc,cd->abd", (4, 5), activation="relu", name="einsum")(x)
    x = layers.Dense(3, name="dense")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(2, name="plain")(x), name="quantized")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=v.shape) for v in model.weights])
    model.quantize(form, filters="table|einsum|dense")
    return model


def write_models():
    found = {}
    x = np.arange(12).reshape(3, 4) % 9
    for form in ("int8", "int4"):
        model = model_of(form)
        model.save(SAMPLES / f"quantized_{form}.keras")
        found[form] = {"y": plain(model(x)), "names": [v.path for v in model.weights]}
    (SAMPLES / "quantized_models.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    write_layers()
    write_models()
