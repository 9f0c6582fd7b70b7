"""`image_dataset_from_directory`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from seqonnx.data.directories import Path, Selection, check_format
from seqonnx.data.file_datasets import datasets_of
from seqonnx.data.images import COLOR_MODES, Picture, in_colors, open_picture, require_pillow
from seqonnx.data.resizing import INTERPOLATIONS, resized, resized_with_crop, resized_with_pad
from seqonnx.defaults import standardize_data_format

_FORMATS: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def image_dataset_from_directory(
    directory: Path,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Return a data set of the pictures in a directory, read in the background by threads.

    Files are listed by folder and name, shuffled and split as Keras does it, so the same files are
    for training and for validation.

    Args:
        directory: where the pictures lie: BMP, GIF (the first picture), JPEG or PNG files. With
            inferred labels there is a subdirectory for each class.
        labels: `"inferred"`, None for pictures without labels, or an integer for each file, in the
            order of their paths.
        label_mode: `"int"` for int32 labels of shape (batch,), `"categorical"` for one-hot float32
            rows, `"binary"` for float32 of shape (batch, 1), None for no labels.
        class_names: subdirectories in the order of their labels; default: all, sorted.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: pictures in a batch; None for single pictures.
        image_size: (height, width), or one number for both.
        shuffle: whether the order is random, and anew in each pass.
        seed: of the order; default: from `set_random_seed`.
        validation_split: fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a list of two data sets.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"area"`, `"lanczos3"`,
            `"lanczos5"`, `"gaussian"` or `"mitchellcubic"`, as `tf.image.resize` has them.
        follow_links: whether to follow symbolic links to directories.
        crop_to_aspect_ratio: cut the middle out with the ratio of `image_size` first.
        pad_to_aspect_ratio: keep the ratio and put zeros around.
        data_format: `"channels_last"` or `"channels_first"`; default: the global setting.
        format: `"tf"` or `"grain"`, whose shuffled order stays the same in each pass. Either gives
            a `Dataset` of this package.
        verbose: whether to print how many files there are.

    Returns:
        A `Dataset` of float32 pictures with values from 0 to 255, or of pairs of pictures and
        labels; with the attributes `class_names` and `file_paths`.

    Raises:
        ImportError: if Pillow is not installed.
        ValueError: if an argument is not legal, or there are no files; in a pass, if a file is no
            picture.

    Example:
        >>> pictures = image_dataset_from_directory("pets", image_size=(64, 64))  # doctest: +SKIP
        >>> model.fit(pictures)  # doctest: +SKIP
    """
    require_pillow()
    check_format(format)
    selection = Selection(
        *(directory, labels, label_mode, class_names, shuffle, seed, validation_split, subset),
        *(follow_links, verbose, "picture", _FORMATS),
    )
    if color_mode not in COLOR_MODES:
        raise ValueError(
            '`color_mode` must be "rgb", "rgba" or "grayscale". Received: '
            f"color_mode={color_mode!r}"
        )
    read = partial(
        _read,
        color_mode=color_mode,
        size=_size(image_size),
        interpolation=_interpolation(interpolation),
        resize=_resizer(crop_to_aspect_ratio, pad_to_aspect_ratio),
        first=standardize_data_format(data_format) == "channels_first",
    )
    return datasets_of(selection, read, batch_size, reshuffle=format == "tf")


def _read(
    path: str, color_mode: str, size: tuple[int, int], interpolation: str, resize: Any, first: bool
) -> np.ndarray:
    """A picture as a float32 array."""
    try:
        picture = in_colors(_eight_bits(open_picture(path)), color_mode)
        pixels = np.asarray(picture)
    except (OSError, SyntaxError) as error:  # Pillow raises the second for some broken files
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    result: np.ndarray = resize(pixels, size, interpolation)
    return result.transpose(2, 0, 1) if first else result


def _eight_bits(picture: Picture) -> Picture:
    """A gray picture of 16 bits with the upper 8 of them, as others decode it."""
    if not picture.mode.startswith("I"):
        return picture
    return require_pillow().fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _size(image_size: Any) -> tuple[int, int]:
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if not isinstance(size, list | tuple) or len(size) != 2 or min(size) < 1:
        raise ValueError(
            "`image_size` must be a height and a width, or a number for both. Received: "
            f"image_size={image_size!r}"
        )
    return int(size[0]), int(size[1])


def _interpolation(interpolation: str) -> str:
    if interpolation.lower() not in INTERPOLATIONS:
        raise ValueError(
            f"`interpolation` must be one of {', '.join(INTERPOLATIONS)}. Received: "
            f"interpolation={interpolation!r}"
        )
    return interpolation.lower()


def _resizer(crop: bool, pad: bool) -> Any:
    if crop and pad:
        raise ValueError(
            "Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True. Received: "
            "both True"
        )
    return resized_with_crop if crop else resized_with_pad if pad else resized
