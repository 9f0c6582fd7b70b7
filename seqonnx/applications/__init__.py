"""Applications: well-known networks with Keras's names and, on request, its ImageNet weights."""

from seqonnx.applications import imagenet, mobilenet_v2, resnet50, vgg16, vgg19, xception
from seqonnx.applications.mobilenet_v2 import MobileNetV2
from seqonnx.applications.resnet50 import ResNet50
from seqonnx.applications.vgg16 import VGG16
from seqonnx.applications.vgg19 import VGG19
from seqonnx.applications.xception import Xception

__all__ = [
    "VGG16",
    "VGG19",
    "MobileNetV2",
    "ResNet50",
    "Xception",
    "imagenet",
    "mobilenet_v2",
    "resnet50",
    "vgg16",
    "vgg19",
    "xception",
]


def __dir__() -> list[str]:
    return sorted(__all__)
