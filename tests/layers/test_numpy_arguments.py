"""NumPy's numbers and arrays mean what Python's do, in every argument and in files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import constraints, initializers, layers, losses, metrics, optimizers, regularizers
from seqonnx.optimizers import schedules


def numbers(value):
    """The same with every number as a scalar of NumPy's."""
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int | float):
        return np.int64(value) if isinstance(value, int) else np.float64(value)
    if isinstance(value, list | tuple):
        return type(value)(numbers(item) for item in value)
    return value


def arrays(value):
    """The same with numbers in a row as an array."""
    row = isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value)
    return np.array(value) if row else numbers(value)


CASES = [
    (layers.Dense, (4,), {"units": 3, "use_bias": False}),
    (layers.Conv1D, (8, 4), {"filters": 4, "kernel_size": (3,), "strides": 2, "groups": 2}),
    (layers.Conv2D, (8, 8, 3), {"filters": 4, "kernel_size": (3, 2), "dilation_rate": (2, 1)}),
    (layers.Conv3D, (5, 5, 5, 2), {"filters": 2, "kernel_size": 2}),
    (layers.Conv1DTranspose, (8, 4), {"filters": 2, "kernel_size": 3, "strides": 2}),
    (layers.Conv2DTranspose, (4, 4, 3), {"filters": 2, "kernel_size": (3, 2), "strides": 2}),
    (layers.Conv3DTranspose, (2, 2, 2, 2), {"filters": 2, "kernel_size": 2, "dilation_rate": 2}),
    (layers.DepthwiseConv1D, (8, 3), {"kernel_size": 3, "depth_multiplier": 2}),
    (layers.DepthwiseConv2D, (8, 8, 3), {"kernel_size": (3, 2), "strides": 2}),
    (layers.SeparableConv1D, (8, 3), {"filters": 4, "kernel_size": 3}),
    (layers.SeparableConv2D, (8, 8, 3), {"filters": 4, "kernel_size": 3, "depth_multiplier": 2}),
    (layers.AveragePooling1D, (8, 3), {"pool_size": 2, "strides": 1}),
    (layers.AveragePooling2D, (8, 8, 3), {"pool_size": (2, 3), "strides": (1, 2)}),
    (layers.MaxPooling2D, (8, 8, 3), {"pool_size": (2, 3)}),
    (layers.MaxPooling3D, (4, 4, 4, 3), {"pool_size": 2, "strides": 1}),
    (layers.AdaptiveAveragePooling1D, (8, 3), {"output_size": 3}),
    (layers.AdaptiveAveragePooling2D, (8, 8, 3), {"output_size": (2, 3)}),
    (layers.AdaptiveAveragePooling3D, (4, 4, 4, 3), {"output_size": (2, 3, 4)}),
    (layers.AdaptiveMaxPooling1D, (8, 3), {"output_size": (3,)}),
    (layers.AdaptiveMaxPooling2D, (8, 8, 3), {"output_size": (2, 3)}),
    (layers.AdaptiveMaxPooling3D, (4, 4, 4, 3), {"output_size": 2}),
    (layers.STFTSpectrogram, (20, 1), {"frame_length": 8, "frame_step": 4, "fft_length": 16}),
    (layers.STFTSpectrogram, (20, 1), {"frame_length": 4, "window": [0.5, 1.0, 1.0, 0.5]}),
    (layers.MelSpectrogram, (40,), {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4}),
    (layers.GlobalAveragePooling2D, (4, 4, 3), {"keepdims": True}),
    (layers.Masking, (3, 2), {"mask_value": 0.5}),
    (layers.ReversibleEmbedding, (4,), {"input_dim": 9, "output_dim": 2, "logit_soft_cap": 2.0}),
    (layers.Masking, (3, 2), {"mask_value": [0.5, 1.0]}),
    (layers.EinsumDense, (3, 4), {"equation": "abc,cd->abd", "output_shape": (3, 2)}),
    (layers.Embedding, (4,), {"input_dim": 9, "output_dim": 2}),
    (layers.LSTM, (4, 3), {"units": 2, "dropout": 0.5, "recurrent_dropout": 0.25, "seed": 3}),
    (layers.GRU, (4, 3), {"units": 2, "reset_after": False, "dropout": 0.5, "seed": 3}),
    (layers.SimpleRNN, (4, 3), {"units": 2, "return_sequences": True, "seed": 3}),
    (layers.ConvLSTM1D, (4, 5, 3), {"filters": 2, "kernel_size": (3,), "strides": 2}),
    (layers.ConvLSTM2D, (2, 5, 5, 3), {"filters": 2, "kernel_size": 3, "dilation_rate": (2, 1)}),
    (layers.ConvLSTM3D, (2, 3, 3, 3, 1), {"filters": 2, "kernel_size": (2, 1, 2)}),
    (layers.BatchNormalization, (4, 3), {"axis": -1, "momentum": 0.5, "epsilon": 0.25}),
    (layers.Dropout, (4, 3), {"rate": 0.5, "noise_shape": (None, 1, 3), "seed": 3}),
    (layers.LayerNormalization, (4, 3), {"axis": (1, 2), "epsilon": 0.25, "center": False}),
    (layers.GroupNormalization, (4, 6), {"groups": 2, "axis": -1, "epsilon": 0.25}),
    (layers.RMSNormalization, (4, 3), {"axis": -1, "epsilon": 0.25}),
    (layers.UnitNormalization, (4, 3), {"axis": (1, 2)}),
    (layers.SpatialDropout1D, (4, 3), {"rate": 0.5, "seed": 3}),
    (layers.SpatialDropout2D, (4, 4, 3), {"rate": 0.5, "seed": 3}),
    (layers.SpatialDropout3D, (4, 4, 4, 3), {"rate": 0.5, "seed": 3}),
    (layers.GaussianNoise, (4, 3), {"stddev": 0.5, "seed": 3}),
    (layers.GaussianDropout, (4, 3), {"rate": 0.5, "seed": 3}),
    (layers.AlphaDropout, (4, 3), {"rate": 0.5, "noise_shape": (None, 1, 3), "seed": 3}),
    (layers.ActivityRegularization, (4,), {"l1": 0.5, "l2": 1}),
    (layers.ELU, (4,), {"alpha": 0.5}),
    (layers.LeakyReLU, (4,), {"negative_slope": 0.5}),
    (layers.ReLU, (4,), {"max_value": 6.0, "negative_slope": 0.5, "threshold": 0.5}),
    (layers.PReLU, (4, 3), {"shared_axes": [1]}),
    (layers.PReLU, (4, 3), {"shared_axes": 1}),
    (layers.Softmax, (4, 3), {"axis": -1}),
    (layers.Softmax, (4, 3), {"axis": (1, 2)}),
    (layers.CategoryEncoding, (4,), {"num_tokens": 3}),
    (layers.Discretization, (4,), {"bin_boundaries": [0.5, 2.0]}),
    (layers.Discretization, (4,), {"bin_boundaries": [0.5, 2], "epsilon": 0.5}),
    (layers.IntegerLookup, (4,), {"vocabulary": [3, 5], "max_tokens": 9, "num_oov_indices": 2}),
    (layers.IntegerLookup, (4,), {"vocabulary": [3, 5], "mask_token": 0, "oov_token": -2}),
    (layers.Normalization, (4, 2), {"axis": (1, 2), "mean": [0.5, 2.0], "variance": [1.0, 2.0]}),
    (layers.Rescaling, (2,), {"scale": [0.5, 2.0], "offset": 2}),
    (layers.Resizing, (4, 4, 3), {"height": 3, "width": 5, "fill_value": 0.5}),
    (layers.CenterCrop, (4, 4, 3), {"height": 3, "width": 2}),
    (layers.RandomFlip, (4, 4, 3), {"seed": 3}),
    (layers.RandomRotation, (4, 4, 3), {"factor": 0.5, "fill_value": 0.5, "seed": 3}),
    (layers.RandomZoom, (4, 4, 3), {"height_factor": (-0.5, 0.5), "width_factor": 0.25}),
    (layers.RandomTranslation, (4, 4, 3), {"height_factor": 0.5, "width_factor": (-0.5, 0.5)}),
    (layers.RandomShear, (4, 4, 3), {"x_factor": 0.5, "y_factor": (0.25, 0.5), "fill_value": 1}),
    (layers.RandomCrop, (4, 4, 3), {"height": 3, "width": 2, "seed": 3}),
    (layers.RandomContrast, (4, 4, 3), {"factor": (0.5, 0.25), "value_range": (0, 1)}),
    (layers.RandomBrightness, (4, 4, 3), {"factor": 0.5, "value_range": (1.0, 0.5)}),
    (layers.RandomHue, (4, 4, 3), {"factor": 0.5, "value_range": (0, 1), "seed": 3}),
    (layers.RandomSaturation, (4, 4, 3), {"factor": (0.25, 0.5), "seed": 3}),
    (layers.RandomGrayscale, (4, 4, 3), {"factor": 0.25, "seed": 3}),
    (layers.RandomSharpness, (4, 4, 3), {"factor": (0.25, 0.5), "value_range": (0, 1)}),
    (layers.RandomErasing, (4, 4, 3), {"factor": 0.5, "scale": 0.5, "fill_value": (1, 2, 3)}),
    (layers.RandomInvert, (4, 4, 3), {"factor": 0.5, "value_range": (0, 1)}),
    (layers.RandomPerspective, (4, 4, 3), {"factor": 0.5, "scale": 0.5, "fill_value": 1}),
    (layers.RandomGaussianBlur, (4, 4, 3), {"kernel_size": (3, 5), "sigma": (0.25, 0.5)}),
    (layers.RandomGaussianBlur, (4, 4, 3), {"kernel_size": 5, "factor": 0.5}),
    (layers.RandomElasticTransform, (4, 4, 3), {"factor": 0.5, "scale": (0.25, 0.5)}),
    (layers.RandomPosterization, (4, 4, 3), {"factor": (2, 6), "value_range": (0, 1)}),
    (layers.RandomColorDegeneration, (4, 4, 3), {"factor": 0.5}),
    (layers.AutoContrast, (4, 4, 3), {"value_range": (0, 1)}),
    (layers.Equalization, (4, 4, 3), {"value_range": (0, 1), "bins": 16}),
    (
        layers.ContrastLimitedAdaptiveHistogramEqualization,
        (4, 4, 3),
        {"clip_limit": 2.5, "tile_grid_size": (2, 2)},
    ),
    (layers.Solarization, (4, 4, 3), {"addition_factor": 0.5, "threshold_factor": (0.25, 0.5)}),
    (layers.RandomColorJitter, (4, 4, 3), {"brightness_factor": 0.5, "hue_factor": (0.25, 0.5)}),
    (layers.MixUp, (4, 4, 3), {"alpha": 0.5, "seed": 3}),
    (layers.CutMix, (4, 4, 3), {"factor": 0.5, "seed": 3}),
    (layers.RandAugment, (4, 4, 3), {"num_ops": 1, "factor": 0.5, "value_range": (0, 1)}),
    (layers.AugMix, (4, 4, 3), {"num_chains": 2, "chain_depth": 1, "alpha": 0.5}),
    (layers.Reshape, (12,), {"target_shape": (3, -1)}),
    (layers.Reshape, (12,), {"target_shape": 12}),
    (layers.UpSampling1D, (4, 3), {"size": 2}),
    (layers.UpSampling2D, (4, 4, 3), {"size": (1, 2)}),
    (layers.UpSampling3D, (2, 2, 2, 3), {"size": 2}),
    (layers.ZeroPadding1D, (4, 3), {"padding": (1, 2)}),
    (layers.ZeroPadding2D, (4, 4, 3), {"padding": 2}),
    (layers.ZeroPadding2D, (4, 4, 3), {"padding": ((1, 2), (3, 4))}),
    (layers.ZeroPadding3D, (4, 4, 4, 3), {"padding": (1, 2, 3)}),
    (layers.Cropping1D, (4, 3), {"cropping": (1, 2)}),
    (layers.Cropping2D, (4, 4, 3), {"cropping": ((1, 2), (0, 1))}),
    (layers.Cropping3D, (4, 5, 7, 3), {"cropping": (1, 2, 3)}),
    (layers.Permute, (4, 3), {"dims": (2, 1)}),
    (layers.RepeatVector, (4,), {"n": 3}),
]


def outcome(cls, shape, arguments, path):
    """Configuration, file and shapes of a model with the layer."""
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), cls(**arguments)])
    model.save(path)
    sizes = [*model.input_shape, *model.output_shape]
    assert {type(size) for size in sizes} <= {int, type(None)}
    return json.dumps(model.layers[0].get_config()), path.read_bytes(), sizes


@pytest.mark.parametrize("convert", [numbers, arrays])
@pytest.mark.parametrize(("cls", "shape", "arguments"), CASES)
def test_layer_takes_numpy_numbers_as_pythons(cls, shape, arguments, convert, tmp_path):
    given = {name: convert(value) for name, value in arguments.items()}
    found = outcome(cls, convert(shape), given, tmp_path / "a.onnx")
    assert found == outcome(cls, shape, arguments, tmp_path / "b.onnx")


def test_every_layer_with_numbers_among_its_arguments_has_its_case():
    covered = {cls for cls, _, _ in CASES}
    # Below: they take several inputs.
    covered |= {layers.Concatenate, layers.Dot, layers.Attention, layers.AdditiveAttention}
    covered |= {layers.MultiHeadAttention, layers.GroupQueryAttention}
    covered |= {layers.SpectralNormalization, layers.Wrapper}  # a layer is their argument
    siblings = {layers.AveragePooling3D, layers.MaxPooling1D}  # one class for all ranks
    numbered = {
        getattr(layers, name)
        for name in layers.__all__
        if isinstance(getattr(layers, name), type) and not name.startswith("Global")
    }
    free = {
        *(layers.Activation, layers.Flatten, layers.Identity, layers.Layer, layers.Merge),
        *(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply),
        # These take text, or cannot be part of a model.
        *(layers.StringLookup, layers.TextVectorization, layers.Hashing, layers.HashedCrossing),
        *(layers.Subtract, layers.ONNXModel, layers.InputLayer, layers.InputSpec),
        *(layers.Pipeline, layers.Lambda),
        # Their numbers are those of the layers that they are the cells of, or stand around.
        *(layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell, layers.StackedRNNCells),
        *(layers.RNN, layers.Bidirectional, layers.TimeDistributed),
    }
    assert numbered - free - siblings <= covered


@pytest.mark.parametrize("convert", [numbers, arrays])
def test_axes_of_merging_layers(convert):
    for made, wanted in (
        (layers.Dot(axes=convert((1, 2)), name="d"), layers.Dot(axes=(1, 2), name="d")),
        (layers.Dot(axes=convert(1), name="d"), layers.Dot(axes=1, name="d")),
        (layers.Concatenate(axis=convert(1), name="c"), layers.Concatenate(axis=1, name="c")),
        (
            layers.Attention(True, dropout=convert(0.5), seed=convert(3), name="a"),
            layers.Attention(True, dropout=0.5, seed=3, name="a"),
        ),
        (
            layers.AdditiveAttention(dropout=convert(0.5), seed=convert(3), name="a"),
            layers.AdditiveAttention(dropout=0.5, seed=3, name="a"),
        ),
        (
            layers.MultiHeadAttention(
                *(convert(number) for number in (2, 3, 4, 0.5)),
                output_shape=convert((2, 3)),
                attention_axes=convert((1, 2)),
                sliding_window=convert(2),
                seed=convert(3),
                name="m",
            ),
            layers.MultiHeadAttention(
                *(2, 3, 4, 0.5),
                output_shape=(2, 3),
                attention_axes=(1, 2),
                sliding_window=2,
                seed=3,
                name="m",
            ),
        ),
        (
            layers.SpectralNormalization(layers.Dense(2, name="d"), convert(2), name="s"),
            layers.SpectralNormalization(layers.Dense(2, name="d"), 2, name="s"),
        ),
        (
            layers.GroupQueryAttention(*(convert(n) for n in (3, 4, 2, 0.5)), name="g"),
            layers.GroupQueryAttention(3, 4, 2, 0.5, name="g"),
        ),
    ):
        assert json.dumps(made.get_config()) == json.dumps(wanted.get_config())


@pytest.mark.parametrize("batch", [np.int32(5), None])
def test_shapes_of_inputs(batch):
    size = np.int64(3)
    for tensor in (
        keras.Input(size, batch_size=batch),
        keras.Input((size,), batch_size=batch),
        keras.Input(np.array([3]), batch_size=batch),
        keras.Input(batch_shape=(batch, size)),
    ):
        assert tensor.shape == (batch, 3)
        assert {type(d) for d in tensor.shape} <= {int, type(None)}
    model = keras.Sequential([layers.Dense(2)])
    model.build((batch, size))
    assert json.dumps(model.input_shape) == json.dumps([None if batch is None else 5, 3])


class Own(layers.Layer):
    """A layer of a user's, which hands on what it is given."""

    def __init__(self, units, rates, **kwargs):
        super().__init__(**kwargs)
        self.units, self.rates = units, rates

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1], self.units), "ones", name="factor")

    def call(self, op, x, training):
        return op.MatMul(x, self.factor)

    def get_config(self):
        return super().get_config() | {"units": self.units, "rates": self.rates}


def test_configuration_of_a_users_layer_is_plain(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Own(np.int64(4), np.array([0.5, 1.0]))])
    config = json.loads(json.dumps(model.get_config()))["layers"][1]["config"]
    assert (config["units"], config["rates"]) == (4, [0.5, 1.0])
    model.save(tmp_path / "a.onnx")
    assert keras.load_model(tmp_path / "a.onnx", {"Own": Own}).output_shape == (None, 4)


HALF, TWO, YES = np.float64(0.5), np.int64(2), np.bool_(True)


@pytest.mark.parametrize(
    ("serialize", "made"),
    [
        (initializers.serialize, initializers.RandomNormal(HALF, HALF, seed=TWO)),
        (initializers.serialize, initializers.Constant(HALF)),
        (constraints.serialize, constraints.MaxNorm(HALF, axis=np.array([0, 1]))),
        (constraints.serialize, constraints.MinMaxNorm(HALF, TWO, HALF, axis=TWO)),
        (regularizers.serialize, regularizers.L1L2(HALF, HALF)),
        (optimizers.serialize, optimizers.SGD(HALF, momentum=HALF, nesterov=YES, clipnorm=TWO)),
        (optimizers.serialize, optimizers.Adam(schedules.ExponentialDecay(HALF, TWO, HALF, YES))),
        (optimizers.serialize, optimizers.SGD(schedules.CosineDecay(HALF, TWO, HALF))),
        (
            optimizers.serialize,
            optimizers.SGD(schedules.PiecewiseConstantDecay(np.array([2]), np.array([0.5, 1.0]))),
        ),
        (
            optimizers.serialize,
            optimizers.LossScaleOptimizer(optimizers.SGD(HALF), TWO, dynamic_growth_steps=TWO),
        ),
        (losses.serialize, losses.Huber(delta=HALF)),
        (losses.serialize, losses.CategoricalCrossentropy(from_logits=YES, label_smoothing=HALF)),
        (metrics.serialize, metrics.TopKCategoricalAccuracy(k=TWO)),
        (metrics.serialize, metrics.Precision(thresholds=HALF, top_k=TWO)),
    ],
)
def test_configurations_are_plain(serialize, made):
    config = serialize(made)
    assert json.loads(json.dumps(config))["config"].keys() == config["config"].keys()


def test_compiled_with_numpy_numbers_can_be_saved(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    rate = schedules.ExponentialDecay(HALF, TWO, HALF, staircase=YES)
    model.compile(
        optimizers.SGD(rate, momentum=HALF),
        losses.Huber(delta=HALF),
        [metrics.TopKCategoricalAccuracy(k=TWO)],
        steps_per_execution=TWO,
        recompute=np.bool_(False),
        loss_weights=HALF,
    )
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "a.onnx")
    again = keras.load_model(tmp_path / "a.onnx")
    x, y = np.ones((4, 3)), np.ones((4, 2))
    assert again.fit(x, y, verbose=0).history == model.fit(x, y, verbose=0).history
