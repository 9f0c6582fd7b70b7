"""Pictures: files, PIL images and arrays, each from the other.

Pillow is an extra (`seqonnx[images]`); it is imported on first use.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from seqonnx.defaults import floatx, standardize_data_format

Picture = Any
"""A `PIL.Image.Image`; Pillow is not needed to read this file."""

PATH_TYPES: Final = (str, bytes, Path)

COLOR_MODES: Final = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""Numbers of channels."""

_GRAY_MODES = ("L", "I;16", "I")
"""Modes of PIL that hold gray already: in 8, 16 and 32 bits."""

_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def require_pillow() -> Any:
    """Return the module `PIL.Image`.

    Raises:
        ImportError: if Pillow is not installed.

    Example:
        >>> require_pillow().__name__
        'PIL.Image'
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Pictures are read and written by Pillow. Install it with: "
            'pip install "seqonnx[images]"'
        ) from error
    return Image


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: str | None = None
) -> Picture:
    """Make a PIL image from an array.

    Args:
        x: array of shape (height, width, channels), or (channels, height, width) for
            `"channels_first"`; 1, 3 or 4 channels.
        data_format: `"channels_last"` or `"channels_first"`; default: the global setting.
        scale: whether to move and stretch the values so that they fill 0 to 255.
        dtype: dtype to compute in; default float32.

    Returns:
        An image of mode `L`, `RGB` or `RGBA`; `I` for gray values above 255.

    Raises:
        ImportError: if Pillow is not installed.
        ValueError: if the array has another rank or number of channels.

    Example:
        >>> array_to_img(np.zeros((2, 3, 1))).size
        (3, 2)
    """
    data_format = standardize_data_format(data_format)
    image = require_pillow()
    pixels = np.asarray(x, dtype=dtype or floatx())
    if pixels.ndim != 3:
        raise ValueError(
            "A picture is an array of rank 3: height, width and channels. Received an array of "
            f"shape {pixels.shape}; a batch of pictures is converted one by one"
        )
    if data_format == "channels_first":
        pixels = pixels.transpose(1, 2, 0)
    if scale:
        pixels = pixels - pixels.min()
        highest = pixels.max()
        pixels = pixels / (highest if highest != 0 else 1) * 255
    channels = pixels.shape[2]
    if channels in {3, 4}:
        return image.fromarray(pixels.astype(np.uint8))
    if channels == 1:
        deep = pixels.max() > 255
        return image.fromarray(pixels[:, :, 0].astype(np.int32 if deep else np.uint8))
    raise ValueError(
        "A picture has 1 channel (gray), 3 (RGB) or 4 (RGBA). Received an array of shape "
        f"{np.shape(x)} with {channels} channels, read as {data_format!r}"
    )


def img_to_array(
    img: Picture, data_format: str | None = None, dtype: str | None = None
) -> np.ndarray:
    """Make an array of rank 3 from a PIL image.

    Args:
        img: the image.
        data_format: `"channels_last"` or `"channels_first"`; default: the global setting.
        dtype: dtype of the result; default float32.

    Returns:
        Array of shape (height, width, channels) or (channels, height, width), values unchanged.

    Raises:
        ValueError: if the image has neither two nor three axes.

    Example:
        >>> img_to_array(array_to_img(np.ones((2, 3, 3)))).shape
        (2, 3, 3)
    """
    data_format = standardize_data_format(data_format)
    pixels = np.asarray(img, dtype=dtype or floatx())
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3:
        raise ValueError(
            "An image has height and width, and perhaps channels. Received one of shape "
            f"{pixels.shape}"
        )
    return pixels.transpose(2, 0, 1) if data_format == "channels_first" else pixels


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as a picture.

    Args:
        path: path, or a binary file that is open for writing.
        x: array; see `array_to_img`.
        data_format: `"channels_last"` or `"channels_first"`; default: the global setting.
        file_format: format of the file, such as `"png"`; default: from the name's ending. Needed
            for open files.
        scale: whether to stretch the values to 0 to 255.
        **kwargs: options of `PIL.Image.Image.save`.

    Raises:
        ImportError: if Pillow is not installed.
        ValueError: if the array is no picture, or the format is unknown.
    """
    if file_format is None and isinstance(path, str | Path):
        file_format = Path(path).suffix[1:].lower()
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"
    picture = array_to_img(x, data_format=data_format, scale=scale)
    if picture.mode == "RGBA" and file_format == "jpeg":
        warnings.warn(
            "JPEG files have no transparency: the fourth channel is left out. Write a PNG file to "
            "keep it.",
            stacklevel=2,
        )
        picture = picture.convert("RGB")
    picture.save(path, format=file_format, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Picture:
    """Read a picture from a file.

    Args:
        path: path, or an `io.BytesIO` with the content of the file.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`, which keeps 16 and 32 bits.
        target_size: (height, width) to resize to; default: as it is.
        interpolation: filter of Pillow to resize with: `"nearest"`, `"bilinear"`, `"bicubic"`,
            `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: cut the middle out, with the ratio of `target_size`, before resizing.

    Returns:
        A PIL image.

    Raises:
        ImportError: if Pillow is not installed.
        TypeError: if `path` is neither a path nor a BytesIO.
        ValueError: if the mode of colours or the interpolation is unknown.
    """
    picture = in_colors(open_picture(path), color_mode)
    if target_size is None or picture.size == (target_size[1], target_size[0]):
        return picture
    if interpolation not in _FILTERS:
        raise ValueError(
            f"`interpolation` must be one of {', '.join(_FILTERS)}. Received: "
            f"interpolation={interpolation!r}"
        )
    width, height = target_size[1], target_size[0]
    box = _middle(picture.size, (width, height)) if keep_aspect_ratio else None
    resample = getattr(require_pillow().Resampling, interpolation.upper())
    return picture.resize((width, height), resample, box=box)


def open_picture(path: Any) -> Picture:
    """Read a picture as the file has it.

    Args:
        path: path, or an `io.BytesIO` with the content of the file.

    Raises:
        ImportError: if Pillow is not installed.
        TypeError: if `path` is neither.
    """
    image = require_pillow()
    if isinstance(path, io.BytesIO):
        return image.open(path)
    if not isinstance(path, PATH_TYPES):
        raise TypeError(
            f"`path` must be a path or an io.BytesIO. Received: {path!r} (of type {type(path)})"
        )
    with open(path, "rb") as file:  # closed here, not when the pixels are first needed
        return image.open(io.BytesIO(file.read()))


def in_colors(picture: Picture, color_mode: str) -> Picture:
    """Convert a picture to gray, RGB or RGBA.

    Args:
        picture: a PIL image.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.

    Raises:
        ValueError: if the mode of colours is none of these.
    """
    if color_mode not in COLOR_MODES:
        raise ValueError(
            '`color_mode` must be "grayscale", "rgb" or "rgba". Received: '
            f"color_mode={color_mode!r}"
        )
    if color_mode == "grayscale":
        return picture if picture.mode in _GRAY_MODES else picture.convert("L")
    mode = color_mode.upper()
    return picture if picture.mode == mode else picture.convert(mode)


def _middle(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest box with the ratio of `target` in the middle of a picture: its corners."""
    width, height = size
    cut_height = min(height, (width * target[1]) // target[0])
    cut_width = min(width, (height * target[0]) // target[1])
    top, left = (height - cut_height) // 2, (width - cut_width) // 2
    return left, top, left + cut_width, top + cut_height
