"""Builds a workload's network through the interface that seqonnx and Keras share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bench_blocks as blocks
import bench_specs as specs
from bench_workloads import Workload

NO_LSTM = "layer not there yet"


def build(api: Any, workload: Workload) -> Any:
    """The model with its initial weights, not compiled.

    Args:
        api: the module `seqonnx` or `keras`.
        workload: what to build.
    """
    weighted: list[Any] = []
    dtype = "int32" if workload.vocabulary > 0 else "float32"
    inputs = api.Input(shape=workload.given, dtype=dtype)
    x = inputs
    if len(workload.base) > 0:
        entry = api.Input(shape=workload.given, dtype=dtype)
        base = api.Model(entry, _stack(api.layers, workload.base, entry, weighted))
        base.trainable = workload.tuned
        x = base(x, training=False)
    model = api.Model(inputs, _stack(api.layers, workload.head, x, weighted))
    for layer, weights in zip(weighted, workload.weights(), strict=True):
        layer.set_weights(list(weights.values()))
    return model


def compile_model(api: Any, model: Any, workload: Workload, **options: Any) -> None:
    """Compile with the workload's optimizer; the model gives logits."""
    chosen = workload.optimizer
    if chosen.name == "adam":
        optimizer = api.optimizers.Adam(chosen.learning_rate)
    else:
        optimizer = api.optimizers.SGD(chosen.learning_rate, momentum=chosen.momentum)
    loss = api.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, **options)


def missing_layer(api: Any, workload: Workload) -> str | None:
    """Why a network cannot be built, or None."""
    needed = {type(spec).__name__ for spec, _ in specs.walk(workload.stack, workload.given)}
    there = {
        **{"Lstm": "LSTM", "Gru": "GRU", "BothWays": "Bidirectional"},
        "Embedding": "Embedding",
    }
    absent = [
        there[name] for name in there if name in needed and there[name] not in dir(api.layers)
    ]
    return None if len(absent) == 0 else f"{', '.join(absent)}: {NO_LSTM}"


def _stack(layers: Any, stack: Iterable[specs.Spec], x: Any, weighted: list[Any]) -> Any:
    """Apply layers in turn, noting those that have weights."""
    for spec in stack:
        if isinstance(spec, specs.Residual):
            branch = _stack(layers, spec.main, x, weighted)
            x = layers.Add()([branch, _stack(layers, spec.shortcut, x, weighted)])
            continue
        if isinstance(spec, specs.Beside):
            x = layers.Concatenate()([x, _stack(layers, spec.main, x, weighted)])
            continue
        border = getattr(spec, "border", 0)
        x = layers.ZeroPadding2D(border)(x) if border > 0 else x
        if isinstance(spec, blocks.SelfAttention):
            layer = layers.MultiHeadAttention(spec.heads, x.shape[-1] // spec.heads)
            x = layer(x, x)
        else:
            layer = _layer(layers, spec)
            x = layer(x)
        if isinstance(spec, _WEIGHTED):
            weighted.append(layer)
    return x


_WEIGHTED = (
    *(specs.Dense, specs.Conv, specs.SeparableConv, specs.BatchNorm),
    *(specs.Embedding, specs.Lstm, specs.Gru, specs.BothWays),
    *(blocks.SelfAttention, blocks.LayerNorm, blocks.Depthwise, blocks.UpConv),
)


def _layer(layers: Any, spec: specs.Spec) -> Any:
    """The layer that a description stands for."""
    match spec:
        case specs.Dense(units):
            return layers.Dense(units)
        case specs.Conv(filters, size, strides, padding, bias, _):
            return layers.Conv2D(filters, size, strides, padding, use_bias=bias)
        case specs.SeparableConv(filters, size, bias):
            return layers.SeparableConv2D(filters, size, padding="same", use_bias=bias)
        case specs.BatchNorm(epsilon, momentum, _):
            return layers.BatchNormalization(epsilon=epsilon, momentum=momentum)
        case specs.MaxPool(size, strides, padding):
            return layers.MaxPooling2D(size, strides, padding)
        case specs.Relu():
            return layers.Activation("relu")
        case specs.Dropout(rate):
            return layers.Dropout(rate)
        case specs.Flatten():
            return layers.Flatten()
        case specs.GlobalAveragePool():
            return layers.GlobalAveragePooling2D()
        case specs.Embedding(vocabulary, units):
            return layers.Embedding(vocabulary, units)
        case _:
            return _recurrent(layers, spec)


def _recurrent(layers: Any, spec: specs.Spec) -> Any:
    """The recurrent layer that a description stands for."""
    match spec:
        case specs.Lstm(units):
            return layers.LSTM(units)
        case specs.Gru(units):
            return layers.GRU(units)
        case specs.BothWays(units):
            return layers.Bidirectional(layers.LSTM(units))
        case _:
            return _block(layers, spec)


def _block(layers: Any, spec: specs.Spec) -> Any:
    """The layer that a description of `bench_blocks` stands for."""
    match spec:
        case blocks.LayerNorm(epsilon):
            return layers.LayerNormalization(epsilon=epsilon)
        case blocks.Gelu():
            return layers.Activation("gelu")
        case blocks.Relu6():
            return layers.Activation("relu6")
        case blocks.MeanOverTime():
            return layers.GlobalAveragePooling1D()
        case blocks.Depthwise(size, strides, _):
            return layers.DepthwiseConv2D(size, strides, use_bias=False)
        case blocks.UpConv(filters):
            return layers.Conv2DTranspose(filters, 2, 2)
        case _:
            raise TypeError(f"Expected a layer. Received: {spec!r}")
