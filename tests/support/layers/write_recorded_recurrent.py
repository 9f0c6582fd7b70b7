"""Record recurrent layers of real Keras: configuration, weights, arguments, results, training.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_recurrent.py

Needs keras and torch. The tests read the files; they do not need Keras. Recorded with Keras 3.15.1.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

ARRAYS = Path(__file__).with_name("recorded_recurrent.npz")
CONFIGS = Path(__file__).with_name("recorded_recurrent.json")

SHAPE, UNITS = (5, 2), 3
HOLES = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [0, 1, 1, 1, 1]], bool)
ALL_MASKED = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], bool)
BOTH = {"return_sequences": True, "return_state": True}
ROWS, IMAGES, VOLUMES = (4, 5, 2), (4, 5, 4, 2), (3, 3, 2, 3, 2)


def lstm(**more):
    return layers.LSTM(UNITS, **more)


def gru(**more):
    return layers.GRU(UNITS, **more)


def simple(**more):
    return layers.SimpleRNN(UNITS, **more)


def cells():
    return [layers.LSTMCell(4), layers.GRUCell(2, reset_after=False), layers.SimpleRNNCell(UNITS)]


def bidirectional(layer, **more):
    return layers.Bidirectional(layer, **more)


# Layer, shape of the input, mask, number of initial states.
LAYERS = {
    "lstm": (lstm(), SHAPE, None, 0),
    "lstm_both": (lstm(**BOTH), SHAPE, None, 2),
    "lstm_back": (lstm(go_backwards=True, **BOTH), SHAPE, None, 0),
    "lstm_mask": (lstm(**BOTH), SHAPE, HOLES, 2),
    "lstm_all_masked": (lstm(**BOTH), SHAPE, ALL_MASKED, 2),
    "lstm_mask_back": (lstm(go_backwards=True, **BOTH), SHAPE, HOLES, 0),
    "lstm_mask_last": (lstm(), SHAPE, HOLES, 0),
    "lstm_zero": (lstm(zero_output_for_mask=True, **BOTH), SHAPE, HOLES, 0),
    "lstm_zero_last": (lstm(zero_output_for_mask=True), SHAPE, HOLES, 0),
    "lstm_zero_unrolled": (lstm(zero_output_for_mask=True, unroll=True), SHAPE, HOLES, 0),
    "lstm_arguments": (
        lstm(
            activation="softsign",
            recurrent_activation="hard_sigmoid",
            use_bias=False,
            unit_forget_bias=False,
            kernel_regularizer="l2",
            recurrent_constraint="max_norm",
            seed=3,
            **BOTH,
        ),
        *(SHAPE, None, 0),
    ),
    "lstm_swish": (lstm(activation="silu", unroll=True, go_backwards=True), SHAPE, None, 2),
    "gru": (gru(), SHAPE, None, 0),
    "gru_both": (gru(**BOTH), SHAPE, None, 1),
    "gru_before": (gru(reset_after=False, **BOTH), SHAPE, None, 1),
    "gru_before_mask": (gru(reset_after=False, go_backwards=True, **BOTH), SHAPE, HOLES, 1),
    "gru_mask": (gru(**BOTH), SHAPE, ALL_MASKED, 0),
    "gru_plain": (gru(use_bias=False, activation="relu"), SHAPE, HOLES, 0),
    "gru_elu": (gru(recurrent_activation="elu", go_backwards=True, **BOTH), SHAPE, None, 0),
    "simple": (simple(), SHAPE, None, 0),
    "simple_both": (simple(activation="relu", **BOTH), SHAPE, HOLES, 1),
    "simple_back": (simple(go_backwards=True, use_bias=False, **BOTH), SHAPE, HOLES, 0),
    "rnn": (layers.RNN(layers.GRUCell(UNITS), **BOTH), SHAPE, HOLES, 0),
    "rnn_stacked": (layers.RNN(cells(), return_sequences=True), SHAPE, HOLES, 0),
    "rnn_stacked_back": (layers.RNN(cells(), go_backwards=True), SHAPE, None, 0),
    "bidirectional": (bidirectional(lstm(**BOTH)), SHAPE, None, 4),
    "bidirectional_mask": (bidirectional(lstm(**BOTH)), SHAPE, HOLES, 0),
    "bidirectional_last": (bidirectional(gru(), merge_mode="sum"), SHAPE, HOLES, 0),
    "bidirectional_mul": (
        bidirectional(simple(return_sequences=True), merge_mode="mul"),
        *(SHAPE, None, 0),
    ),
    "bidirectional_ave": (bidirectional(gru(**BOTH), merge_mode="ave"), SHAPE, ALL_MASKED, 0),
    "bidirectional_two": (bidirectional(lstm(**BOTH), merge_mode=None), SHAPE, HOLES, 0),
    "bidirectional_own": (
        bidirectional(
            lstm(return_sequences=True),
            backward_layer=gru(return_sequences=True, go_backwards=True),
        ),
        *(SHAPE, HOLES, 0),
    ),
    "bidirectional_turned": (
        bidirectional(
            lstm(return_sequences=True, go_backwards=True),
            backward_layer=lstm(return_sequences=True),
        ),
        *(SHAPE, None, 0),
    ),
    "distributed": (layers.TimeDistributed(layers.Dense(4, "relu")), SHAPE, None, 0),
    "distributed_images": (layers.TimeDistributed(layers.Conv2D(3, 2)), IMAGES, None, 0),
    "distributed_statistics": (
        layers.TimeDistributed(layers.BatchNormalization()),
        *(SHAPE, None, 0),
    ),
    "distributed_sequences": (layers.TimeDistributed(layers.LSTM(3)), (4, 3, 2), None, 0),
    "conv1d": (layers.ConvLSTM1D(3, 2, return_sequences=True), ROWS, None, 0),
    "conv1d_same": (layers.ConvLSTM1D(3, 3, 2, "same", go_backwards=True), ROWS, None, 0),
    "conv2d": (layers.ConvLSTM2D(3, (2, 3), padding="same", **BOTH), IMAGES, HOLES[:, :4], 0),
    "conv2d_dilated": (
        layers.ConvLSTM2D(2, 2, dilation_rate=2, data_format="channels_first", use_bias=False),
        *((4, 2, 5, 4), None, 0),
    ),
    "conv2d_relu": (
        layers.ConvLSTM2D(2, 2, 2, activation="relu", recurrent_activation="tanh"),
        *(IMAGES, None, 0),
    ),
    "conv3d": (layers.ConvLSTM3D(2, 2, return_state=True), VOLUMES, None, 0),
}


def model_of(layer, shape, mask, states):
    """A model of a layer that is called with all of its arguments."""
    x = keras.Input(shape)
    inputs, more = [x], {}
    if mask is not None:
        more["mask"] = keras.Input(shape[:1], dtype="bool")
        inputs.append(more["mask"])
    if states > 0:
        more["initial_state"] = [keras.Input((UNITS,)) for _ in range(states)]
        inputs += more["initial_state"]
    y = layer(x, **more)
    y = y[0] if isinstance(y, list | tuple) else y
    return keras.Model(inputs, keras.layers.Flatten()(y))


def flat(structure) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(structure)]


def main() -> None:
    """Write both files."""
    rng = np.random.default_rng(0)
    arrays, configs = {}, {}
    for name, (layer, shape, mask, states) in LAYERS.items():
        entry = keras.saving.serialize_keras_object(layer)
        x = rng.normal(size=(3, *shape)).astype("float32")
        more = {}
        if mask is not None:
            more["mask"] = mask
        if states > 0:
            initial = [rng.normal(size=(3, UNITS)).astype("float32") for _ in range(states)]
            more["initial_state"] = initial
        model = model_of(layer, shape, mask, states)
        weights = [rng.normal(0.0, 0.5, w.shape).astype("float32") for w in layer.weights]
        for weight, value in zip(layer.weights, weights, strict=True):
            if weight.name == "moving_variance":
                value[:] = np.abs(value) + 0.5
        layer.set_weights(weights)
        results = flat(layer(x, **more))
        data = [x, *([mask] if mask is not None else []), *more.get("initial_state", [])]
        target = rng.normal(size=(3, *model.output_shape[1:])).astype("float32")
        model.compile(keras.optimizers.SGD(0.05), "mse")
        losses = [float(model.train_on_batch(data, target)) for _ in range(10)]
        trained = layer.get_weights()
        arrays |= {f"{name}/x": x, f"{name}/target": target}
        arrays |= {f"{name}/state{i}": s for i, s in enumerate(more.get("initial_state", []))}
        arrays |= {f"{name}/y{i}": y for i, y in enumerate(results)}
        arrays |= {f"{name}/weight{i}": w for i, w in enumerate(weights)}
        arrays |= {f"{name}/trained{i}": w for i, w in enumerate(trained)}
        if mask is not None:
            arrays[f"{name}/mask"] = mask
        configs[name] = {
            "layer": entry,
            "weights": [w.path.partition("/")[2] for w in layer.weights],
            "losses": losses,
        }
    np.savez_compressed(ARRAYS, **arrays)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in configs.items())
    CONFIGS.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
