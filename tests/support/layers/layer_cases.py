"""Table: every layer in every mode that matters, with what it must give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import onnx

from seqonnx import layers
from seqonnx.layers import Layer
from seqonnx.layers.merging.custom_scale import CustomScaleLayer
from seqonnx.layers.merging.layer_scale import LayerScale


@dataclass(frozen=True)
class Case:
    """A layer, what it is given and what it must give.

    Args:
        make: makes the layer; takes further arguments.
        input: shape of the input without the batch; a list of shapes for a merging layer.
        output: shape of the output without the batch.
        weights: Keras shapes of the weights, in order.
        label: tells cases of one layer apart.
        named: names of the inputs after the first, for a layer that takes them by name.
    """

    make: Callable[..., Layer]
    input: tuple[int, ...] | list[tuple[int, ...]]
    output: tuple[int, ...]
    weights: list[tuple[int, ...]] = field(default_factory=list)
    label: str = ""
    named: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        made = self.make()
        return f"{type(made).__name__}-{self.label}" if self.label else type(made).__name__


def case(
    cls: Callable[..., Layer],
    *args: Any,
    i: tuple[int, ...] | list[tuple[int, ...]],
    o: tuple[int, ...],
    w: list[tuple[int, ...]] | None = None,
    label: str = "",
    named: tuple[str, ...] = (),
    **kwargs: Any,
) -> Case:
    return Case(lambda **more: cls(*args, **kwargs, **more), i, o, w or [], label, named)


APART = {
    *("IntegerLookup", "StringLookup", "TextVectorization"),  # tests/layers/test_lookups.py
    *("Hashing", "HashedCrossing"),  # tests/layers/test_hashing.py
    "Lambda",  # tests/layers/test_calls_on_tensors.py: its function is saved by name alone
}
"""Layers that the table does not fit, and that have tests of their own."""

NETWORK = onnx.parser.parse_model("""
    <ir_version: 8, opset_import: ["": 13]>
    network (float[N, 2] x) => (float[N, 3] y)
    <float[2, 3] w = {1, -2, 3, -4, 5, -6}, float[3] b = {1, 0, -1}> {
        product = MatMul(x, w)
        y = Add(product, b)
    }
""")
IMAGE = (7, 6, 4)
RGB = (7, 6, 3)
BN = [(4,)] * 4
ELEMENTWISE = (layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply)


def gru_of_cell(**more: Any) -> Layer:
    return layers.RNN(layers.GRUCell(4, dtype=more.get("dtype")), **more)


def stacked(**more: Any) -> Layer:
    dtype = more.get("dtype")
    cells = [
        layers.LSTMCell(4, dropout=0.2, dtype=dtype),
        layers.GRUCell(3, "silu", reset_after=False, recurrent_dropout=0.3, dtype=dtype),
    ]
    return layers.RNN(layers.StackedRNNCells(cells), True, **more)


def both_ways(mode: str = "concat", **more: Any) -> Layer:
    inner = layers.LSTM(4, return_sequences=True, dtype=more.get("dtype"))
    return layers.Bidirectional(inner, mode, **more)


def each_step(**more: Any) -> Layer:
    return layers.TimeDistributed(layers.Dense(4, "relu", dtype=more.get("dtype")), **more)


def each_dropped(**more: Any) -> Layer:
    return layers.TimeDistributed(layers.Dropout(0.5, dtype=more.get("dtype")), **more)


def spectral(**more: Any) -> Layer:
    return layers.SpectralNormalization(layers.Dense(3), 2, **more)


CASES = [
    case(layers.ONNXModel, NETWORK, i=(2,), o=(3,), w=[(2, 3), (3,)]),
    case(layers.Dense, 3, i=(4,), o=(3,), w=[(4, 3), (3,)]),
    case(layers.Dense, 3, "relu", i=(2, 5, 4), o=(2, 5, 3), w=[(4, 3), (3,)], label="3d"),
    case(layers.Dense, 3, use_bias=False, i=(4,), o=(3,), w=[(4, 3)], label="plain"),
    case(
        *(layers.Dense, 3, layers.LeakyReLU(0.1)),
        i=(4,),
        o=(3,),
        w=[(4, 3), (3,)],
        label="activation-layer",
        kernel_initializer="he_normal",
        bias_initializer="ones",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
    ),
    case(layers.EinsumDense, "ab,bc->ac", 3, i=(4,), o=(3,), w=[(4, 3)]),
    case(
        *(layers.EinsumDense, "abc,cde->abde", (None, 2, 5), "relu", "de"),
        kernel_regularizer="l2",
        bias_constraint="non_neg",
        i=(3, 4),
        o=(3, 2, 5),
        w=[(4, 2, 5), (2, 5)],
        label="heads",
    ),
    case(
        *(layers.EinsumDense, "...x,xy->...y", 5, None, "y"),
        i=(2, 3, 4),
        o=(2, 3, 5),
        w=[(4, 5), (5,)],
        label="left",
    ),
    case(
        *(layers.EinsumDense, "ab...,bc->ac...", 5, None, "c"),
        i=(4, 3),
        o=(5, 3),
        w=[(4, 5), (5, 1)],
        label="right",
    ),
    case(layers.Embedding, 9, 3, i=(4,), o=(4, 3), w=[(9, 3)]),
    case(
        *(layers.Embedding, 9, 2, "normal", "l2", "max_norm"),
        activity_regularizer="l1",
        i=(3, 2),
        o=(3, 2, 2),
        w=[(9, 2)],
        label="all",
    ),
    case(layers.Activation, "tanh", i=(3, 4), o=(3, 4)),
    case(layers.Activation, "softmax", i=(3, 4), o=(3, 4), label="softmax"),
    case(layers.ReLU, i=(3, 4), o=(3, 4)),
    case(layers.ReLU, 0.5, 0.1, 0.2, i=(3, 4), o=(3, 4), label="all"),
    case(layers.ReLU, 0.5, i=(3, 4), o=(3, 4), label="limit"),
    case(layers.ReLU, 0.5, 0.1, i=(3, 4), o=(3, 4), label="limit-slope"),
    case(layers.LeakyReLU, i=(3, 4), o=(3, 4)),
    case(layers.ELU, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.PReLU, "normal", i=(3, 4), o=(3, 4), w=[(3, 4)]),
    case(
        *(layers.PReLU, "normal"),
        shared_axes=[1, 2],
        i=IMAGE,
        o=IMAGE,
        w=[(1, 1, 4)],
        label="shared",
    ),
    case(layers.Softmax, i=(3, 4), o=(3, 4)),
    case(layers.Softmax, axis=(1, 2), i=(3, 4), o=(3, 4), label="axes"),
    case(layers.Identity, i=(3, 4), o=(3, 4)),
    case(layers.Dropout, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.SpatialDropout1D, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.SpatialDropout2D, 0.5, i=IMAGE, o=IMAGE),
    case(layers.SpatialDropout2D, 0.5, "channels_first", 7, i=IMAGE, o=IMAGE, label="first"),
    case(layers.SpatialDropout3D, 0.5, i=(2, 3, 2, 1), o=(2, 3, 2, 1)),
    case(layers.GaussianNoise, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.GaussianDropout, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.AlphaDropout, 0.5, i=(3, 4), o=(3, 4)),
    case(layers.AlphaDropout, 0.5, (None, 1, None), i=(3, 4), o=(3, 4), label="shared"),
    case(layers.ActivityRegularization, 0.1, 0.2, i=(3, 4), o=(3, 4)),
    case(layers.Flatten, i=(3, 4, 2), o=(24,)),
    case(layers.Flatten, "channels_first", i=(3, 4, 2), o=(24,), label="first"),
    case(layers.Flatten, i=(), o=(1,), label="scalars"),
    case(layers.Reshape, (4, 6), i=(3, 4, 2), o=(4, 6)),
    case(layers.Reshape, (-1, 8), i=(3, 4, 2), o=(3, 8), label="rest"),
    case(layers.Reshape, 24, i=(3, 4, 2), o=(24,), label="int"),
    case(layers.CategoryEncoding, 5, i=(4,), o=(5,)),
    case(layers.CategoryEncoding, 5, "count", i=(4, 3), o=(3, 5), label="count"),
    case(layers.CategoryEncoding, 5, "one_hot", i=(4,), o=(4, 5), label="one_hot"),
    case(layers.CategoryEncoding, 5, "one_hot", i=(4, 1), o=(4, 5), label="squeezed"),
    case(layers.Discretization, [-0.5, 0.5], output_mode="count", i=(4,), o=(3,)),
    case(layers.Discretization, [0.0], output_mode="one_hot", i=(4,), o=(4, 2), label="one_hot"),
    case(layers.Normalization, i=(3, 4), o=(3, 4), w=[(4,), (4,), ()]),
    case(
        layers.Normalization,
        (1, 2),
        invert=True,
        i=(3, 4),
        o=(3, 4),
        w=[(3, 4)] * 2 + [()],
        label="invert",
    ),
    case(layers.Normalization, None, 2.0, 4.0, i=(3, 4), o=(3, 4), label="given"),
    case(layers.Rescaling, 1 / 255, i=(3, 4), o=(3, 4)),
    case(layers.Rescaling, [1.0, 2.0], [0.5, -1.0], i=(3, 2), o=(3, 2), label="channels"),
    case(
        *(layers.STFTSpectrogram, "log", 8, 4),
        i=(20, 1),
        o=(4, 5),
        w=[(8, 1, 5)] * 2,
    ),
    case(
        *(layers.STFTSpectrogram, "stft", 5, None, 8, "hamming", True, "spectrum", "same", True),
        data_format="channels_first",
        i=(2, 9),
        o=(2, 5, 10),
        w=[(5, 1, 5)] * 2,
        label="first",
    ),
    case(
        *(layers.STFTSpectrogram, "imag", 4),
        expand_dims=True,
        i=(9, 3),
        o=(3, 3, 3),
        w=[(4, 1, 3)],
        label="imaginary",
    ),
    case(layers.MelSpectrogram, 16, 8, num_mel_bins=4, i=(40,), o=(4, 6)),
    case(
        *(layers.MelSpectrogram, 16, 8, 10, "hamming", 8000, 5, 100.0, 3000.0, False),
        mag_exp=1.0,
        i=(40,),
        o=(5, 6),
        label="bands",
    ),
    case(layers.Resizing, 3, 9, i=IMAGE, o=(3, 9, 4)),
    case(layers.Resizing, 5, 8, "lanczos3", False, True, i=IMAGE, o=(5, 8, 4), label="lanczos"),
    case(
        *(layers.Resizing, 3, 2),
        antialias=True,
        data_format="channels_first",
        i=IMAGE,
        o=(7, 3, 2),
        label="first",
    ),
    case(layers.CenterCrop, 4, 3, i=IMAGE, o=(4, 3, 4)),
    case(layers.RandomFlip, i=IMAGE, o=IMAGE),
    case(layers.RandomRotation, 0.3, i=IMAGE, o=IMAGE),
    case(layers.RandomZoom, 0.3, i=IMAGE, o=IMAGE),
    case(layers.RandomTranslation, 0.3, (-0.2, 0.1), "wrap", i=IMAGE, o=IMAGE),
    case(layers.RandomShear, 0.3, data_format="channels_first", i=IMAGE, o=IMAGE),
    case(layers.RandomCrop, 4, 3, i=IMAGE, o=(4, 3, 4)),
    case(layers.RandomContrast, 0.5, i=IMAGE, o=IMAGE),
    case(layers.RandomBrightness, (-0.1, 0.3), (0, 1), i=IMAGE, o=IMAGE),
    case(layers.RandomHue, 0.5, i=RGB, o=RGB),
    case(layers.RandomSaturation, (0.3, 0.7), i=RGB, o=RGB),
    case(layers.RandomGrayscale, i=RGB, o=RGB),
    case(layers.RandomSharpness, 0.5, i=IMAGE, o=IMAGE),
    case(layers.RandomErasing, i=IMAGE, o=IMAGE),
    case(layers.RandomInvert, i=IMAGE, o=IMAGE),
    case(layers.RandomPerspective, i=IMAGE, o=IMAGE),
    case(layers.RandomGaussianBlur, 0.5, (3, 5), i=IMAGE, o=IMAGE),
    case(layers.RandomElasticTransform, i=IMAGE, o=IMAGE),
    case(layers.RandomPosterization, 4, i=IMAGE, o=IMAGE),
    case(layers.RandomColorDegeneration, 0.5, i=RGB, o=RGB),
    case(layers.AutoContrast, i=IMAGE, o=IMAGE),
    case(layers.Equalization, i=IMAGE, o=IMAGE),
    case(
        *(layers.ContrastLimitedAdaptiveHistogramEqualization,),
        tile_grid_size=(2, 4),
        i=IMAGE,
        o=IMAGE,
    ),
    case(layers.Solarization, 0.2, 0.5, i=IMAGE, o=IMAGE),
    case(
        *(layers.RandomColorJitter, (0, 1), 0.2, 0.3, 0.4, 0.5, 7, "channels_first"),
        i=(3, 7, 6),
        o=(3, 7, 6),
    ),
    case(layers.MixUp, i=IMAGE, o=IMAGE),
    case(layers.CutMix, i=IMAGE, o=IMAGE),
    case(layers.RandAugment, num_ops=1, i=RGB, o=RGB),
    case(layers.AugMix, (0, 1), 2, 1, all_ops=False, i=RGB, o=RGB),
    Case(
        lambda **more: layers.Pipeline(
            [layers.Rescaling(0.5, name="r", **more), layers.RandomFlip(name="f", **more)]
        ),
        IMAGE,
        IMAGE,
    ),
    case(layers.UpSampling1D, 3, i=(5, 4), o=(15, 4)),
    case(layers.UpSampling2D, i=IMAGE, o=(14, 12, 4)),
    case(layers.UpSampling2D, (1, 3), "channels_first", i=IMAGE, o=(7, 6, 12), label="first"),
    case(layers.UpSampling2D, (2, 3), None, "bilinear", i=IMAGE, o=(14, 18, 4), label="bilinear"),
    case(layers.UpSampling2D, 2, None, "bicubic", i=IMAGE, o=(14, 12, 4), label="bicubic"),
    case(layers.UpSampling3D, (1, 2, 3), i=(2, 3, 2, 1), o=(2, 6, 6, 1)),
    case(layers.ZeroPadding1D, 2, i=(5, 4), o=(9, 4)),
    case(layers.ZeroPadding1D, (1, 0), i=(5, 4), o=(6, 4), label="pair"),
    case(layers.ZeroPadding2D, i=IMAGE, o=(9, 8, 4)),
    case(layers.ZeroPadding2D, (1, 2), i=IMAGE, o=(9, 10, 4), label="two"),
    case(layers.ZeroPadding2D, ((1, 0), (0, 3)), i=IMAGE, o=(8, 9, 4), label="pairs"),
    case(layers.ZeroPadding2D, 1, "channels_first", i=IMAGE, o=(7, 8, 6), label="first"),
    case(layers.ZeroPadding3D, i=(2, 3, 2, 1), o=(4, 5, 4, 1)),
    case(layers.Cropping1D, i=(5, 4), o=(3, 4)),
    case(layers.Cropping1D, (2, 0), i=(5, 4), o=(3, 4), label="pair"),
    case(layers.Cropping2D, i=IMAGE, o=IMAGE),
    case(layers.Cropping2D, (1, 2), i=IMAGE, o=(5, 2, 4), label="two"),
    case(layers.Cropping2D, ((1, 0), (0, 3)), i=IMAGE, o=(6, 3, 4), label="pairs"),
    case(layers.Cropping2D, 1, "channels_first", i=IMAGE, o=(7, 4, 2), label="first"),
    case(layers.Cropping3D, i=(4, 5, 3, 2), o=(2, 3, 1, 2)),
    case(
        *(layers.Cropping3D, ((0, 1), (1, 1), (2, 0)), "channels_first"),
        i=(2, 4, 5, 3),
        o=(2, 3, 3, 1),
        label="first",
    ),
    case(layers.Permute, (3, 1, 2), i=(3, 4, 2), o=(2, 3, 4)),
    case(layers.RepeatVector, 3, i=(4,), o=(3, 4)),
    case(layers.Conv1D, 3, 2, i=(6, 4), o=(5, 3), w=[(2, 4, 3), (3,)]),
    case(
        *(layers.Conv1D, 3, 3),
        padding="causal",
        dilation_rate=2,
        i=(6, 4),
        o=(6, 3),
        w=[(3, 4, 3), (3,)],
        label="causal",
    ),
    case(layers.Conv2D, 5, 3, i=IMAGE, o=(5, 4, 5), w=[(3, 3, 4, 5), (5,)]),
    case(
        *(layers.Conv2D, 5, (3, 2), 2, "same"),
        i=IMAGE,
        o=(4, 3, 5),
        w=[(3, 2, 4, 5), (5,)],
        label="same",
        activation="softmax",
    ),
    case(
        *(layers.Conv2D, 6, 3, 1, "valid", "channels_first", 2, 3),
        i=(9, 7, 6),
        o=(6, 3, 2),
        w=[(3, 3, 3, 6), (6,)],
        label="first",
    ),
    case(
        *(layers.Conv2D, 6, 3),
        groups=2,
        use_bias=False,
        i=IMAGE,
        o=(5, 4, 6),
        w=[(3, 3, 2, 6)],
        label="groups",
    ),
    case(layers.Conv3D, 2, 2, i=(3, 4, 3, 2), o=(2, 3, 2, 2), w=[(2, 2, 2, 2, 2), (2,)]),
    case(layers.Conv1DTranspose, 3, 4, 3, i=(6, 4), o=(19, 3), w=[(4, 3, 4), (3,)]),
    case(layers.Conv2DTranspose, 5, 3, i=IMAGE, o=(9, 8, 5), w=[(3, 3, 5, 4), (5,)]),
    case(
        *(layers.Conv2DTranspose, 5, (3, 2), 2, "same"),
        activation="relu",
        kernel_regularizer="l2",
        i=IMAGE,
        o=(14, 12, 5),
        w=[(3, 2, 5, 4), (5,)],
        label="same",
    ),
    case(
        *(layers.Conv2DTranspose, 3, (2, 3), (3, 2), "same", (2, 0), "channels_first"),
        use_bias=False,
        i=IMAGE,
        o=(3, 17, 7),
        w=[(2, 3, 3, 7)],
        label="first",
    ),
    case(
        *(layers.Conv3DTranspose, 2, 2),
        dilation_rate=2,
        i=(2, 3, 2, 3),
        o=(4, 5, 4, 2),
        w=[(2, 2, 2, 2, 3), (2,)],
    ),
    case(layers.DepthwiseConv1D, 3, i=(6, 4), o=(4, 4), w=[(3, 4, 1), (4,)]),
    case(
        *(layers.DepthwiseConv2D, 3, 2, "same", 2),
        i=IMAGE,
        o=(4, 3, 8),
        w=[(3, 3, 4, 2), (8,)],
        depthwise_regularizer="l2",
    ),
    case(layers.SeparableConv1D, 3, 2, i=(6, 4), o=(5, 3), w=[(2, 4, 1), (1, 4, 3), (3,)]),
    case(
        *(layers.SeparableConv2D, 5, 3),
        i=IMAGE,
        o=(5, 4, 5),
        w=[(3, 3, 4, 1), (1, 1, 4, 5), (5,)],
    ),
    case(
        *(layers.SeparableConv2D, 5, 3, 2, "same"),
        depth_multiplier=2,
        use_bias=False,
        depthwise_regularizer="l2",
        pointwise_regularizer="l1",
        depthwise_constraint="max_norm",
        i=IMAGE,
        o=(4, 3, 5),
        w=[(3, 3, 4, 2), (1, 1, 8, 5)],
        label="same",
    ),
    case(layers.MaxPooling1D, i=(6, 4), o=(3, 4)),
    case(layers.MaxPooling2D, i=IMAGE, o=(3, 3, 4)),
    case(layers.MaxPooling2D, 3, 2, "same", i=IMAGE, o=(4, 3, 4), label="same"),
    case(
        *(layers.MaxPooling2D, (2, 3), 1),
        data_format="channels_first",
        i=IMAGE,
        o=(7, 5, 2),
        label="first",
    ),
    case(layers.MaxPooling3D, i=(4, 4, 2, 3), o=(2, 2, 1, 3)),
    case(layers.AveragePooling1D, 2, i=(6, 4), o=(3, 4)),
    case(layers.AveragePooling2D, 3, 2, "same", i=IMAGE, o=(4, 3, 4)),
    case(layers.AveragePooling3D, 2, i=(4, 4, 2, 3), o=(2, 2, 1, 3)),
    case(layers.AdaptiveAveragePooling1D, 3, i=(6, 4), o=(3, 4)),
    case(layers.AdaptiveAveragePooling1D, 4, i=(6, 2), o=(4, 2), label="uneven"),
    case(layers.AdaptiveAveragePooling2D, 2, i=IMAGE, o=(2, 2, 4)),
    case(layers.AdaptiveAveragePooling2D, (5, 9), i=IMAGE, o=(5, 9, 4), label="uneven"),
    case(
        *(layers.AdaptiveAveragePooling2D, (4, 3), "channels_first"),
        i=IMAGE,
        o=(7, 4, 3),
        label="first",
    ),
    case(layers.AdaptiveAveragePooling3D, (1, 2, 3), i=(2, 3, 4, 2), o=(1, 2, 3, 2)),
    case(layers.AdaptiveMaxPooling1D, (4,), i=(6, 4), o=(4, 4)),
    case(layers.AdaptiveMaxPooling2D, 3, i=IMAGE, o=(3, 3, 4)),
    case(
        *(layers.AdaptiveMaxPooling2D, (5, 3), "channels_first"),
        i=IMAGE,
        o=(7, 5, 3),
        label="first",
    ),
    case(layers.AdaptiveMaxPooling3D, (1, 2, 3), i=(2, 3, 4, 2), o=(1, 2, 3, 2)),
    case(layers.GlobalMaxPooling1D, i=(6, 4), o=(4,)),
    case(layers.GlobalMaxPooling2D, i=IMAGE, o=(4,)),
    case(layers.GlobalMaxPooling3D, i=(4, 4, 2, 3), o=(3,)),
    case(layers.GlobalAveragePooling1D, i=(6, 4), o=(4,)),
    case(layers.GlobalAveragePooling2D, i=IMAGE, o=(4,)),
    case(layers.GlobalAveragePooling2D, keepdims=True, i=IMAGE, o=(1, 1, 4), label="kept"),
    case(layers.GlobalAveragePooling2D, "channels_first", i=IMAGE, o=(7,), label="first"),
    case(layers.GlobalAveragePooling3D, i=(4, 4, 2, 3), o=(3,)),
    case(layers.BatchNormalization, i=(4,), o=(4,), w=BN),
    case(layers.BatchNormalization, i=(3, 4), o=(3, 4), w=BN, label="3d"),
    case(layers.BatchNormalization, i=IMAGE, o=IMAGE, w=BN, label="4d"),
    case(layers.BatchNormalization, 1, i=(4, 3, 2), o=(4, 3, 2), w=BN, label="axis-1"),
    case(layers.BatchNormalization, 2, i=(3, 4, 2), o=(3, 4, 2), w=BN, label="axis-2"),
    case(
        *(layers.BatchNormalization,),
        center=False,
        scale=False,
        i=(4,),
        o=(4,),
        w=BN[:2],
        label="bare",
    ),
    case(layers.LayerNormalization, i=(4,), o=(4,), w=[(4,)] * 2),
    case(layers.LayerNormalization, [2, 3], i=IMAGE, o=IMAGE, w=[(6, 4)] * 2, label="axes"),
    case(layers.LayerNormalization, 1, i=IMAGE, o=IMAGE, w=[(7,)] * 2, label="axis-1"),
    case(
        *(layers.LayerNormalization,),
        center=False,
        scale=False,
        i=(3, 4),
        o=(3, 4),
        label="bare",
    ),
    case(layers.GroupNormalization, 2, i=IMAGE, o=IMAGE, w=[(4,)] * 2),
    case(layers.GroupNormalization, 2, 1, i=(4, 3, 2), o=(4, 3, 2), w=[(4,)] * 2, label="first"),
    case(layers.GroupNormalization, -1, i=(3, 4), o=(3, 4), w=[(4,)] * 2, label="instance"),
    case(layers.GroupNormalization, 2, scale=False, i=(4,), o=(4,), w=[(4,)], label="vector"),
    case(layers.RMSNormalization, i=(3, 4), o=(3, 4), w=[(4,)]),
    case(layers.RMSNormalization, (1, 3), i=IMAGE, o=IMAGE, w=[(7, 4)], label="axes"),
    case(LayerScale, 0.5, 4, i=(3, 4), o=(3, 4), w=[(4,)]),
    case(CustomScaleLayer, 0.5, i=[(3, 4), (3, 4)], o=(3, 4)),
    case(layers.UnitNormalization, i=(3, 4), o=(3, 4)),
    case(layers.UnitNormalization, (1, 2), i=(3, 4), o=(3, 4), label="axes"),
    *(case(cls, i=[(3, 4)] * 3, o=(3, 4)) for cls in ELEMENTWISE),
    *(case(cls, i=[(3, 1), (2, 1, 4)], o=(2, 3, 4), label="mixed") for cls in ELEMENTWISE),
    case(layers.Add, i=[(3, 4)], o=(3, 4), label="alone"),
    case(layers.Subtract, i=[(3, 4)] * 2, o=(3, 4)),
    case(layers.Subtract, i=[(4,), (3, 4)], o=(3, 4), label="mixed"),
    case(layers.Concatenate, i=[(3, 4), (3, 1), (3, 2)], o=(3, 7)),
    case(layers.Concatenate, 1, i=[(3, 4), (2, 4)], o=(5, 4), label="axis-1"),
    case(layers.Dot, 1, i=[(4,), (4,)], o=(1,)),
    case(layers.Dot, (2, 1), i=[(3, 4), (4, 2)], o=(3, 2), label="matrices"),
    case(layers.Dot, -1, i=[(3, 4), (2, 4)], o=(3, 2), label="last"),
    case(layers.Dot, (1, 2), i=[(4,), (3, 4)], o=(3,), label="vector-first"),
    case(layers.Dot, (2, 1), i=[(3, 4), (4,)], o=(3,), label="vector-last"),
    case(layers.Dot, (1, 3), i=[(4, 3, 2), (2, 3, 4)], o=(3, 2, 2, 3), label="4d"),
    case(layers.Dot, 1, True, i=[(4, 2), (4, 3)], o=(2, 3), label="cosine"),
    case(layers.ReversibleEmbedding, 9, 3, i=(4,), o=(4, 3), w=[(9, 3)]),
    case(
        *(layers.ReversibleEmbedding, 9, 3, False, "normal", "l2", "max_norm", False, None, 2.0),
        i=(4,),
        o=(4, 3),
        w=[(9, 3), (3, 9)],
        label="all",
    ),
    case(spectral, i=(4,), o=(3,), w=[(4, 3), (1, 3), (3,)]),
    case(layers.Masking, i=(3, 4), o=(3, 4)),
    case(layers.Masking, [0.5, 1.0], i=(3, 2), o=(3, 2), label="features"),
    case(layers.Embedding, 9, 3, mask_zero=True, i=(4,), o=(4, 3), w=[(9, 3)], label="masked"),
    case(layers.Attention, i=[(3, 4), (5, 4)], o=(3, 4)),
    case(
        *(layers.Attention, True, "concat", 0.5, 7),
        i=[(3, 4), (5, 2), (5, 4)],
        o=(3, 2),
        w=[(), ()],
        label="concat",
    ),
    case(layers.AdditiveAttention, i=[(3, 4), (5, 4)], o=(3, 4), w=[(4,)]),
    case(
        *(layers.AdditiveAttention, False, 0.5, 7),
        i=[(3, 4), (5, 2), (5, 4)],
        o=(3, 2),
        label="plain",
    ),
    case(
        *(layers.MultiHeadAttention, 2, 3),
        i=[(3, 4), (5, 6)],
        o=(3, 4),
        w=[(4, 2, 3), (2, 3), (6, 2, 3), (2, 3), (6, 2, 3), (2, 3), (2, 3, 4), (4,)],
        named=("value",),
    ),
    case(
        *(layers.MultiHeadAttention, 2, 3, 5, 0.5, False, (2, 3), 1, 4, None, "he_normal", "ones"),
        *("l1", "l2", "l1", "max_norm", "non_neg", True, 7),
        i=[(3, 2, 4), (5, 2, 6), (5, 2, 7)],
        o=(3, 2, 2, 3),
        w=[(4, 2, 3), (7, 2, 3), (4, 2, 5), (6, 2, 5), (2, 5, 2, 3)],
        label="all",
        named=("value", "key"),
    ),
    case(
        *(layers.GroupQueryAttention, 3, 4, 2),
        i=[(3, 4), (5, 6)],
        o=(3, 4),
        w=[(4, 4, 3), (4, 3), (6, 2, 3), (2, 3), (6, 2, 3), (2, 3), (4, 3, 4), (4,)],
        named=("value",),
    ),
    case(
        *(layers.GroupQueryAttention, 3, 4, 1, 0.5, False, 4, None, "he_normal", "ones"),
        *("l1", "l2", "l1", "max_norm", "non_neg", True, 7),
        i=[(3, 4), (5, 6)],
        o=(3, 4),
        w=[(4, 4, 3), (6, 1, 3), (4, 4, 3), (6, 1, 3), (4, 3, 4)],
        label="all",
        named=("value",),
    ),
    case(layers.LSTM, 4, i=(3, 2), o=(4,), w=[(2, 16), (4, 16), (16,)]),
    case(
        *(layers.LSTM, 4),
        use_bias=False,
        return_sequences=True,
        i=(3, 2),
        o=(3, 4),
        w=[(2, 16), (4, 16)],
        label="sequences",
    ),
    case(
        *(layers.LSTM, 4, "silu", "sigmoid", True, "he_normal", "identity", "ones", False),
        *("l1", "l2", "l1", "l2", "max_norm", "unit_norm", "non_neg", 0.2, 0.3, 7),
        return_sequences=True,
        unroll=True,
        i=(3, 2),
        o=(3, 4),
        w=[(2, 16), (4, 16), (16,)],
        label="all",
    ),
    case(layers.GRU, 4, i=(3, 2), o=(4,), w=[(2, 12), (4, 12), (2, 12)]),
    case(
        *(layers.GRU, 4),
        reset_after=False,
        dropout=0.2,
        return_sequences=True,
        i=(3, 2),
        o=(3, 4),
        w=[(2, 12), (4, 12), (12,)],
        label="reset-before",
    ),
    case(
        *(layers.GRU, 4, "silu", "tanh", False, "he_normal", "identity", "ones", "l1", "l2"),
        *("l1", "l2", "max_norm", "unit_norm", "non_neg", 0.2, 0.3, 7, True),
        zero_output_for_mask=True,
        i=(3, 2),
        o=(3, 4),
        w=[(2, 12), (4, 12)],
        label="all",
    ),
    case(layers.SimpleRNN, 4, i=(3, 2), o=(4,), w=[(2, 4), (4, 4), (4,)]),
    case(
        *(layers.SimpleRNN, 4, "silu", True, "he_normal", "identity", "ones", "l1", "l2"),
        *("l1", "l2", "max_norm", "unit_norm", "non_neg", 0.2, 0.3, True),
        i=(3, 2),
        o=(3, 4),
        w=[(2, 4), (4, 4), (4,)],
        label="all",
    ),
    case(
        *(layers.SimpleRNN, 4),
        return_sequences=True,
        zero_output_for_mask=True,
        activation="silu",
        i=(3, 2),
        o=(3, 4),
        w=[(2, 4), (4, 4), (4,)],
        label="zero",
    ),
    case(stacked, i=(3, 2), o=(3, 3), w=[(2, 16), (4, 16), (16,), (4, 9), (3, 9), (9,)]),
    case(both_ways, i=(3, 2), o=(3, 8), w=[(2, 16), (4, 16), (16,)] * 2),
    case(both_ways, "mul", i=(3, 2), o=(3, 4), w=[(2, 16), (4, 16), (16,)] * 2, label="mul"),
    case(each_step, i=(3, 2), o=(3, 4), w=[(2, 4), (4,)]),
    case(each_dropped, i=(3, 2), o=(3, 2), label="dropout"),
    case(layers.ConvLSTM1D, 2, 2, i=(3, 5, 3), o=(4, 2), w=[(2, 3, 8), (2, 2, 8), (8,)]),
    case(
        *(layers.ConvLSTM2D, 2, (2, 3), (2, 1), "same", "channels_first", 1, "relu", "tanh"),
        *(False, "he_normal", "zeros", "ones", False, "l1", "l2", "l1", "l2", "max_norm"),
        *("unit_norm", "non_neg", 0.2, 0.3, 7, True),
        unroll=True,
        i=(3, 2, 4, 5),
        o=(3, 2, 2, 5),
        w=[(2, 3, 2, 8), (2, 3, 2, 8)],
        label="all",
    ),
    case(
        *(layers.ConvLSTM3D, 2, 2),
        i=(2, 3, 3, 3, 1),
        o=(2, 2, 2, 2),
        w=[(2, 2, 2, 1, 8), (2, 2, 2, 2, 8), (8,)],
    ),
    case(gru_of_cell, i=(3, 2), o=(4,), w=[(2, 12), (4, 12), (2, 12)]),
]

CELLS = {"LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"}
"""Layers whose call takes states, too: `RNN` repeats them."""
