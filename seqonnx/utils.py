"""Keras's `utils`: helpers for data, pictures and saving, by the names that Keras gives them."""

from __future__ import annotations

from seqonnx.cached_files import get_file
from seqonnx.callbacks.progress import Progbar
from seqonnx.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
    set_random_seed,
)
from seqonnx.data.arrays import normalize, to_categorical
from seqonnx.data.audio_directory import audio_dataset_from_directory
from seqonnx.data.image_directory import image_dataset_from_directory
from seqonnx.data.images import array_to_img, img_to_array, load_img, save_img
from seqonnx.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from seqonnx.data.py_dataset import PyDataset
from seqonnx.data.py_dataset import PyDataset as Sequence
from seqonnx.data.sequences import pad_sequences, timeseries_dataset_from_array
from seqonnx.data.splitting import split_dataset
from seqonnx.data.text_directory import text_dataset_from_directory
from seqonnx.dtypes import standardize as standardize_dtype
from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.graph import clear_session
from seqonnx.models import legacy_objects as legacy
from seqonnx.models.feature_space import FeatureSpace
from seqonnx.models.keras_objects import deserialize_keras_object
from seqonnx.ops import bounding_boxes
from seqonnx.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from seqonnx.report.plot.plotting import model_to_dot, plot_model
from seqonnx.symbolic.origins import get_source_inputs, is_keras_tensor
from seqonnx.value_config import Config

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def __dir__() -> list[str]:
    return sorted(__all__)
