"""Preparation of images and names of classes, by Keras's name of the module; see `imagenet`."""

from seqonnx.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["decode_predictions", "preprocess_input"]
