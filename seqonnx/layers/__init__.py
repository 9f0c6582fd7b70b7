"""Layers: what a model is made of."""

import seqonnx.ops  # noqa: F401 - the operators of tensors are functions of it
from seqonnx.layers.activation.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
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
from seqonnx.layers.core.operation import Operation  # noqa: F401 - enters the catalogue
from seqonnx.layers.merging.dot import Dot
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
from seqonnx.layers.normalization.unit_normalization import UnitNormalization
from seqonnx.layers.onnx.onnx_model import ONNXModel
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
from seqonnx.layers.preprocessing.rescaling import Rescaling
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
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
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
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "Merge",
    "Minimum",
    "Multiply",
    "ONNXModel",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Subtract",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "deserialize",
    "serialize",
]


def __dir__() -> list[str]:
    return __all__
