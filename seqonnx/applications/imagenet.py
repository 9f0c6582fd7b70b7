"""Shared by networks for ImageNet: the preparation of images, and the names of the classes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes, ops
from seqonnx.downloads import RemoteFile, fetch
from seqonnx.errors import ModelFileError
from seqonnx.graph.operable import Valueless

Prediction = tuple[str, str, float]
"""WordNet id, name and score of a class."""

CLASSES: Final = 1000
CLASS_INDEX: Final = RemoteFile(
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
)

# Mean of the training images of Simonyan and Zisserman (2014): blue, green, red.
_MEAN_BGR = (103.939, 116.779, 123.68)
# Mean and deviation of the colours of the training images, of 0 … 1.
_MEAN_RGB = (0.485, 0.456, 0.406)
_DEVIATION_RGB = (0.229, 0.224, 0.225)


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Return images as a network expects them; the images given stay as they are.

    Args:
        x: images with values from 0 to 255: (height, width, 3) or (batch, height, width, 3); an
            array, or floats as a symbolic tensor inside a model.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        mode: `"caffe"` turns RGB into BGR and takes the mean image away, `"tf"` scales to -1 … 1,
            `"torch"` scales to 0 … 1, takes the mean colour away and divides by its deviation.

    Returns:
        Floats of the same shape: an array, or a symbolic tensor.

    Raises:
        ValueError: if it is not an array of images, or an argument is none of the choices.

    Example:
        >>> preprocess_input([[[255, 0, 127.5]]], mode="tf").tolist()
        [[[1.0, -1.0, 0.0]]]
    """
    if mode not in {"caffe", "tf", "torch"}:
        raise ValueError(
            f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}"
        )
    if data_format not in {None, "channels_last", "channels_first"}:
        raise ValueError(
            "Expected data_format to be one of `channels_first` or `channels_last`. "
            f"Received: data_format={data_format}"
        )
    axis = -3 if data_format == "channels_first" else -1
    if isinstance(x, Valueless):
        return _prepared(x, mode, axis)
    array = dtypes.to_array(x, None, "x")
    return _prepared(array if array.dtype.kind == "f" else array.astype(np.float32), mode, axis)


def _prepared(x: Any, mode: str, axis: int) -> Any:
    """Floats in a mode, for an array or a tensor with its channels on an axis."""
    if mode == "tf":
        return x / 127.5 - 1.0
    if len(x.shape) not in {3, 4} or x.shape[axis] != 3:
        raise ValueError(
            "Expected images with 3 channels, (height, width, 3) or (batch, height, width, 3). "
            f"Received: shape={tuple(x.shape)}"
        )
    sizes = [3, 1, 1] if axis == -3 else [3]

    dtype = x.dtype if isinstance(x, np.ndarray) else np.float32

    def spread(values: tuple[float, ...]) -> npt.NDArray[Any]:
        return np.asarray(values, dtype).reshape(sizes)

    if mode == "torch":
        return (x / 255.0 - spread(_MEAN_RGB)) / spread(_DEVIATION_RGB)
    turned = ops.flip(x, axis) if isinstance(x, Valueless) else np.flip(x, axis)
    return turned - spread(_MEAN_BGR)


def decode_predictions(
    preds: Any, top: int = 5, *, class_index: str | os.PathLike[str] | None = None
) -> list[list[Prediction]]:
    """Return the best classes of every sample.

    Args:
        preds: scores of shape (samples, 1000).
        top: how many classes to give.
        class_index: a local `imagenet_class_index.json`; default: it is downloaded once.

    Returns:
        For every sample a list of (WordNet id, name, score), best first.

    Raises:
        ValueError: if the scores have another shape.
        ConnectionError: if the names cannot be fetched.
    """
    scores = np.asarray(preds)
    if scores.ndim != 2 or scores.shape[1] != CLASSES:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape "
            f"(samples, 1000)). Received array with shape: {scores.shape}"
        )
    path = fetch(CLASS_INDEX) if class_index is None else Path(class_index)
    names = _read_index(path)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : max(0, top)]
    return [
        [(*names[int(i)], float(row[i])) for i in order]
        for row, order in zip(scores, best, strict=True)
    ]


def _read_index(path: Path) -> list[tuple[str, str]]:
    """WordNet id and name of every class."""
    try:
        entries = json.loads(path.read_text("utf-8"))
        return [(str(entries[str(i)][0]), str(entries[str(i)][1])) for i in range(CLASSES)]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelFileError(
            f"{path} does not name the 1000 classes of ImageNet, as "
            f'{{"0": ["n01440764", "tench"], …}} does: {error!r}'
        ) from error
