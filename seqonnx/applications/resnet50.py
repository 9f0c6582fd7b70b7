"""ResNet50 by the name of its own module; see `seqonnx.applications.resnet`."""

from seqonnx.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
