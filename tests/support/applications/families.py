"""Every network of Keras's families: its layers, settings and weights, and what it computes.

Run with Keras and torch to record them anew (a few names: these alone):

    KERAS_BACKEND=torch python tests/support/applications/families.py [name ...]

What is kept of a network are digests: `described` and `declared` show what went into them.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from support.applications.recorded import weights

RECORDS = Path(__file__).with_name("families.json")

FAMILIES = {
    "convnext": [f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")],
    "densenet": ["DenseNet121", "DenseNet169", "DenseNet201"],
    "efficientnet": [f"EfficientNetB{number}" for number in range(8)],
    "efficientnet_v2": [f"EfficientNetV2{s}" for s in ("B0", "B1", "B2", "B3", "S", "M", "L")],
    "inception_resnet_v2": ["InceptionResNetV2"],
    "inception_v3": ["InceptionV3"],
    "mobilenet": ["MobileNet"],
    "mobilenet_v2": ["MobileNetV2"],
    "mobilenet_v3": ["MobileNetV3Small", "MobileNetV3Large"],
    "nasnet": ["NASNetMobile", "NASNetLarge"],
    "resnet": ["ResNet50", "ResNet101", "ResNet152"],
    "resnet_v2": ["ResNet50V2", "ResNet101V2", "ResNet152V2"],
    "vgg16": ["VGG16"],
    "vgg19": ["VGG19"],
    "xception": ["Xception"],
}
"""Module of Keras and the networks in it, the smallest first."""

# Small images whose height and width are odd and even: paddings differ.
SHAPES = {
    "inception_resnet_v2": (77, 80, 3),
    "inception_v3": (77, 80, 3),
    "xception": (73, 76, 3),
}
SHAPE = (45, 48, 3)

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "ConvNeXtTiny": [
        {"include_preprocessing": False, "include_top": False, "pooling": "avg"},
        {"include_top": False, "input_shape": (64, 64, 1), "name": "other"},
    ],
    "DenseNet121": [{"include_top": False, "pooling": "max"}],
    "EfficientNetB0": [{"include_top": False, "pooling": "max", "input_shape": (64, 65, 1)}],
    "EfficientNetV2B0": [
        {"include_preprocessing": False, "include_top": False, "pooling": "avg"},
        {"include_top": False, "input_shape": (64, 65, 1)},
    ],
    "InceptionV3": [{"include_top": False, "pooling": "avg"}],
    "InceptionResNetV2": [{"include_top": False, "pooling": "max"}],
    "MobileNet": [
        {"alpha": 0.25, "depth_multiplier": 2, "dropout": 0.5, "classes": 5},
        {"alpha": 0.3, "include_top": False, "pooling": "max", "input_shape": (96, 64, 3)},
    ],
    "MobileNetV3Small": [
        {"minimalistic": True, "input_shape": (33, 64, 3), "dropout_rate": 0.0},
        {"alpha": 0.75, "include_top": False, "pooling": "avg", "include_preprocessing": False},
        {"alpha": 1.3, "classes": 3, "dropout_rate": 0.4},
    ],
    "MobileNetV3Large": [
        {"minimalistic": True, "alpha": 0.6, "include_top": False, "pooling": "max"},
    ],
    "NASNetMobile": [{"include_top": False, "pooling": "avg", "input_shape": (96, 96, 3)}],
    "ResNet50V2": [{"include_top": False, "pooling": "max"}],
}
"""Further arguments of which the layers are compared."""

_SETTINGS = (
    *("filters", "units", "kernel_size", "pool_size", "strides", "padding", "groups"),
    *("depth_multiplier", "use_bias", "epsilon", "momentum", "center", "scale", "offset"),
    *("rate", "noise_shape", "activation", "max_value", "negative_slope", "threshold"),
    *("target_shape", "cropping", "keepdims", "mean", "variance", "batch_shape", "drop_path_rate"),
    *("init_values", "projection_dim", "kernel_initializer", "depthwise_initializer"),
    *("pointwise_initializer", "bias_initializer"),
)


# Networks whose activations shrink what passes through get larger weights, so that the images
# still make a difference at the end.
GAINS = {
    "efficientnet": 1.5,
    "efficientnet_v2": 1.25,
    "mobilenet": 1.5,
    "mobilenet_v2": 1.5,
    "mobilenet_v3": 1.5,
    # Deeper ones would be chaotic: an input changed by 1e-7 would change the output visibly.
    **dict.fromkeys(("EfficientNetB5", "EfficientNetB6"), 1.4),
    "EfficientNetB7": 1.35,
    "EfficientNetV2M": 1.1,
    "EfficientNetV2L": 1.05,
}
PREPARING = {"convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"}
"""Families whose networks prepare images of 0 to 255 themselves."""


def family_of(network: str) -> str:
    return next(module for module, names in FAMILIES.items() if network in names)


def shape_of(network: str) -> tuple[int, int, int]:
    """Size of the images for which outputs are compared."""
    return SHAPES.get(family_of(network), SHAPE)


def images(network: str) -> np.ndarray:
    """Two pictures that differ in the size of their values."""
    x = np.random.default_rng(0).uniform(0, 255, (2, *shape_of(network)))
    x[0, :, ::2] *= 0.2
    return (x if family_of(network) in PREPARING else x / 127.5 - 1).astype("float32")


def described(model: Any) -> list[Any]:
    """Name, class, output shape and settings of every layer, nested ones after their network."""
    rows: list[Any] = []
    for layer in getattr(model, "operations", model.layers):
        kind = type(layer).__name__ if hasattr(layer, "weights") else "Operation"
        shape = None if kind == "Operation" else list(layer.output.shape)
        parts = getattr(layer, "layers", [])
        config = {} if kind in {"Operation", "Sequential"} else layer.get_config()
        rows.append([layer.name, kind, shape, _settings(config)])
        rows.extend([p.name, type(p).__name__, _settings(p.get_config())] for p in parts)
    return rows


def declared(model: Any) -> list[Any]:
    """Layer, name and shape of every weight, in order."""
    # Keras numbers weights without a name through all layers, seqonnx those of a layer.
    paths = [re.sub(r"variable_\d+$", "variable", str(v.path)) for v in model.weights]
    return [
        [*path.split("/")[-2:], list(v.shape)] for path, v in zip(paths, model.weights, strict=True)
    ]


def digest(rows: list[Any]) -> str:
    """A number for a list that no other list has."""
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()[:16]


def summary_of(model: Any) -> dict[str, Any]:
    """The facts of a network that are compared without running it."""
    return {
        "name": model.name,
        "input": list(model.input_shape),
        "output": list(model.output_shape),
        "parameters": model.count_params(),
        "trainable": sum(int(np.prod(v.shape)) for v in model.trainable_weights),
        "layers": digest(described(model)),
        "weights": digest(declared(model)),
    }


def logits(network: str, model: Any) -> np.ndarray:
    """Every fiftieth output for the weights and images that both sides get."""
    gain = GAINS.get(network, GAINS.get(family_of(network), 1.0))
    variables = model.weights
    arrays = zip(variables, weights(variables), strict=True)
    model.set_weights([array * gain if v.name == "gamma" else array for v, array in arrays])
    return np.asarray(model.predict(images(network), verbose=0))[:, ::50]


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(config[key]) for key in _SETTINGS if key in config}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):  # an initializer: its class and what is set
        config = {k: v for k, v in value.get("config", {}).items() if v is not None}
        return [value.get("class_name"), sorted(config.items())]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return round(float(value), 6) if isinstance(value, (int, float)) else value


def _record(network: str) -> dict[str, Any]:
    import keras

    make = getattr(keras.applications, network)
    if network == "NASNetMobile":
        make = _nasnet_mobile
    found: dict[str, Any] = {}
    for key, arguments in [
        ("default", {}),
        *((str(i), arguments) for i, arguments in enumerate(VARIANTS.get(network, []))),
    ]:
        keras.backend.clear_session()
        found[key] = summary_of(make(weights=None, **arguments))
    keras.backend.clear_session()
    model = make(weights=None, input_shape=shape_of(network), classifier_activation=None)
    found["small"] = summary_of(model)
    found["logits"] = [[float(f"{v:.7g}") for v in row] for row in logits(network, model)]
    return found


def _nasnet_mobile(input_shape=None, include_top=True, name="nasnet_mobile", **arguments) -> Any:
    """Keras's network without its refusal of torch as a backend."""
    from keras.src.applications.nasnet import NASNet

    shape = (224, 224, 3) if not include_top and input_shape is None else input_shape
    sizes = {"penultimate_filters": 1056, "num_blocks": 4, "stem_block_filters": 32}
    return NASNet(
        shape,
        **sizes,
        skip_reduction=False,
        default_size=224,
        include_top=include_top,
        name=name,
        **arguments,
    )


def main() -> None:
    records = json.loads(RECORDS.read_text("utf-8")) if RECORDS.exists() else {}
    names = [name for members in FAMILIES.values() for name in members]
    for name in sys.argv[1:] or names:
        records[name] = _record(name)
        print(name, records[name]["default"], records[name]["logits"][0][:3], flush=True)
        rows = ",\n ".join(f'"{n}": {json.dumps(records[n])}' for n in names if n in records)
        RECORDS.write_text(f"{{\n {rows}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
