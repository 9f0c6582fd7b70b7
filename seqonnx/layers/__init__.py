"""Layers: what a model is made of."""

import seqonnx.ops
import seqonnx.random  # noqa: F401 - it enters the catalogue of functions
from seqonnx.layers.activation.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from seqonnx.layers.attention.attention import AdditiveAttention, Attention
from seqonnx.layers.attention.group_query_attention import GroupedQueryAttention
from seqonnx.layers.attention.multi_head_attention import MultiHeadAttention
from seqonnx.layers.audio.mel_spectrogram import MelSpectrogram
from seqonnx.layers.audio.stft_spectrogram import STFTSpectrogram
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.convolution.conv import Conv1D, Conv2D, Conv3D
from seqonnx.layers.convolution.conv_transpose import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)
from seqonnx.layers.convolution.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from seqonnx.layers.convolution.separable_conv import SeparableConv1D, SeparableConv2D
from seqonnx.layers.core.dense import Dense
from seqonnx.layers.core.einsum_dense import EinsumDense
from seqonnx.layers.core.embedding import Embedding
from seqonnx.layers.core.identity import Identity
from seqonnx.layers.core.input import Input, InputLayer
from seqonnx.layers.core.lambda_layer import Lambda
from seqonnx.layers.core.masking import Masking
from seqonnx.layers.core.operation import Operation  # noqa: F401 - enters the catalogue
from seqonnx.layers.core.reversible_embedding import ReversibleEmbedding
from seqonnx.layers.merging.custom_scale import CustomScaleLayer  # noqa: F401 - enters the catalogue
from seqonnx.layers.merging.dot import Dot
from seqonnx.layers.merging.functions import (
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from seqonnx.layers.merging.layer_scale import LayerScale  # noqa: F401 - enters the catalogue
from seqonnx.layers.merging.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Merge,
    Minimum,
    Multiply,
    Subtract,
)
from seqonnx.layers.normalization.batch_normalization import BatchNormalization
from seqonnx.layers.normalization.group_normalization import GroupNormalization
from seqonnx.layers.normalization.layer_normalization import LayerNormalization
from seqonnx.layers.normalization.rms_normalization import RMSNormalization
from seqonnx.layers.normalization.spectral_normalization import SpectralNormalization
from seqonnx.layers.normalization.unit_normalization import UnitNormalization
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.layers.pooling.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from seqonnx.layers.pooling.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from seqonnx.layers.pooling.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from seqonnx.layers.preprocessing.aug_mix import AugMix
from seqonnx.layers.preprocessing.auto_contrast import AutoContrast
from seqonnx.layers.preprocessing.category_encoding import CategoryEncoding
from seqonnx.layers.preprocessing.center_crop import CenterCrop
from seqonnx.layers.preprocessing.clahe import ContrastLimitedAdaptiveHistogramEqualization
from seqonnx.layers.preprocessing.cut_mix import CutMix
from seqonnx.layers.preprocessing.discretization import Discretization
from seqonnx.layers.preprocessing.equalization import Equalization
from seqonnx.layers.preprocessing.hashed_crossing import HashedCrossing
from seqonnx.layers.preprocessing.hashing import Hashing
from seqonnx.layers.preprocessing.integer_lookup import IntegerLookup
from seqonnx.layers.preprocessing.mix_up import MixUp
from seqonnx.layers.preprocessing.normalization import Normalization
from seqonnx.layers.preprocessing.pipeline import Pipeline
from seqonnx.layers.preprocessing.rand_augment import RandAugment
from seqonnx.layers.preprocessing.random_brightness import RandomBrightness
from seqonnx.layers.preprocessing.random_color_degeneration import RandomColorDegeneration
from seqonnx.layers.preprocessing.random_color_jitter import RandomColorJitter
from seqonnx.layers.preprocessing.random_contrast import RandomContrast
from seqonnx.layers.preprocessing.random_crop import RandomCrop
from seqonnx.layers.preprocessing.random_elastic_transform import RandomElasticTransform
from seqonnx.layers.preprocessing.random_erasing import RandomErasing
from seqonnx.layers.preprocessing.random_flip import RandomFlip
from seqonnx.layers.preprocessing.random_gaussian_blur import RandomGaussianBlur
from seqonnx.layers.preprocessing.random_grayscale import RandomGrayscale
from seqonnx.layers.preprocessing.random_hue import RandomHue
from seqonnx.layers.preprocessing.random_invert import RandomInvert
from seqonnx.layers.preprocessing.random_perspective import RandomPerspective
from seqonnx.layers.preprocessing.random_posterization import RandomPosterization
from seqonnx.layers.preprocessing.random_rotation import RandomRotation
from seqonnx.layers.preprocessing.random_saturation import RandomSaturation
from seqonnx.layers.preprocessing.random_sharpness import RandomSharpness
from seqonnx.layers.preprocessing.random_shear import RandomShear
from seqonnx.layers.preprocessing.random_translation import RandomTranslation
from seqonnx.layers.preprocessing.random_zoom import RandomZoom
from seqonnx.layers.preprocessing.rescaling import Rescaling
from seqonnx.layers.preprocessing.resizing import Resizing
from seqonnx.layers.preprocessing.solarization import Solarization
from seqonnx.layers.preprocessing.string_lookup import StringLookup
from seqonnx.layers.preprocessing.text_vectorization import TextVectorization
from seqonnx.layers.recurrent.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from seqonnx.layers.recurrent.gru import GRU
from seqonnx.layers.recurrent.gru_cell import GRUCell
from seqonnx.layers.recurrent.lstm import LSTM
from seqonnx.layers.recurrent.lstm_cell import LSTMCell
from seqonnx.layers.recurrent.rnn import RNN
from seqonnx.layers.recurrent.simple_rnn import SimpleRNN
from seqonnx.layers.recurrent.simple_rnn_cell import SimpleRNNCell
from seqonnx.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from seqonnx.layers.regularization.activity_regularization import ActivityRegularization
from seqonnx.layers.regularization.alpha_dropout import AlphaDropout
from seqonnx.layers.regularization.dropout import Dropout
from seqonnx.layers.regularization.gaussian import GaussianDropout, GaussianNoise
from seqonnx.layers.regularization.spatial_dropout import (
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from seqonnx.layers.reshaping.cropping import Cropping1D, Cropping2D, Cropping3D
from seqonnx.layers.reshaping.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from seqonnx.layers.reshaping.permute import Permute
from seqonnx.layers.reshaping.repeat_vector import RepeatVector
from seqonnx.layers.reshaping.reshaping import Flatten, Reshape
from seqonnx.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from seqonnx.layers.serialization import deserialize, serialize
from seqonnx.layers.wrappers.bidirectional import Bidirectional
from seqonnx.layers.wrappers.time_distributed import TimeDistributed
from seqonnx.layers.wrappers.wrapper import Wrapper

# Second names that Keras has for these classes.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Convolution3DTranspose = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GroupQueryAttention = GroupedQueryAttention
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Merge",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "ONNXModel",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def __dir__() -> list[str]:
    return __all__
