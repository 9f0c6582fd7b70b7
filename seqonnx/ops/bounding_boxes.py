"""Functions of bounding boxes, on arrays and tensors. Keras's names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from seqonnx import ops
from seqonnx.defaults import epsilon
from seqonnx.ops.box_formats import Corners, convert_format, image_size, joined, sides
from seqonnx.ops.box_overlaps import compute_ciou, compute_iou

__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]


def __dir__() -> list[str]:
    return __all__


_ENCODINGS: Final = ("center_xywh", "center_yxhw")


def clip_to_image_size(
    bounding_boxes: Mapping[str, Any],
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> dict[str, Any]:
    """Cut boxes at the border of the image; the labels of those of which nothing stays become -1.

    Args:
        bounding_boxes: a dict with `"boxes"` of shape (..., n, 4) and perhaps `"labels"` of shape
            (..., n).
        height: height of the image; not needed for `"rel_xyxy"`.
        width: its width.
        bounding_box_format: `"xyxy"` or `"rel_xyxy"`.

    Raises:
        NotImplementedError: for other formats.
        ValueError: if a size is lacking.
    """
    if bounding_box_format not in {"xyxy", "rel_xyxy"}:
        raise NotImplementedError(
            'Boxes are cut in the formats "xyxy" and "rel_xyxy"; use `convert_format`. Received: '
            f"bounding_box_format={bounding_box_format!r}"
        )
    if bounding_box_format == "rel_xyxy":
        height = width = 1.0
    elif height is None or width is None:
        raise ValueError(
            '`height` and `width` are needed for the format "xyxy". Received: '
            f"height={height}, width={width}"
        )
    boxes = bounding_boxes["boxes"]
    boxes = ops.convert_to_tensor(boxes) if isinstance(boxes, list | tuple) else boxes
    x1, y1, x2, y2 = _clipped(sides(boxes), height, width)
    result = {**bounding_boxes, "boxes": joined((x1, y1, x2, y2))}
    labels = bounding_boxes.get("labels")
    if labels is not None:
        areas = ops.squeeze((x2 - x1) * (y2 - y1), axis=-1)
        result["labels"] = ops.where(areas > 0, labels, -1)
    return result


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Rotate, move, scale and shear boxes: the boxes around the corners after that.

    Args:
        boxes: (batch, n, 4).
        angle: degrees, (batch,); likewise all that follow.
        translate_x: move to the right, in units of the width less 1.
        translate_y: move down, in units of the height less 1.
        scale: factor.
        shear_x: degrees.
        shear_y: degrees.
        height: height of the image.
        width: its width.
        center_x: centre, in units of the width less 1; default 0.5.
        center_y: likewise.
        bounding_box_format: `"xyxy"`.

    Raises:
        NotImplementedError: for other formats.
    """
    _check_corners(bounding_box_format)
    across, down = width - 1, height - 1
    cx = (0.5 if center_x is None else center_x) * across
    cy = (0.5 if center_y is None else center_y) * down
    turn, sx, sy = (ops.cast(-a, "float32") * (math.pi / 180) for a in (angle, shear_x, shear_y))
    a = ops.cos(turn - sy) / ops.cos(sy)
    b = a * ops.tan(sx) + ops.sin(turn)
    c = -ops.sin(turn - sy) / ops.cos(sy)
    d = ops.cos(turn) - c * ops.tan(sx)
    xx, xy, yx, yy = (part * scale for part in (d, -b, -c, a))
    from_x, from_y = cx - translate_x * across, cy - translate_y * down
    moved_x, moved_y = cx - xx * from_x - xy * from_y, cy - yx * from_x - yy * from_y
    x1, y1, x2, y2 = sides(ops.cast(boxes, "float32"))
    xs = ops.concatenate([x1, x2, x2, x1], axis=-1)
    ys = ops.concatenate([y1, y1, y2, y2], axis=-1)
    xx, xy, yx, yy, moved_x, moved_y = (
        ops.reshape(part, (-1, 1, 1)) for part in (xx, xy, yx, yy, moved_x, moved_y)
    )
    new_x, new_y = xx * xs + xy * ys + moved_x, yx * xs + yy * ys + moved_y
    return ops.stack(
        [ops.min(new_x, -1), ops.min(new_y, -1), ops.max(new_x, -1), ops.max(new_y, -1)], axis=-1
    )


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Move boxes into a part of the image, and cut them at its border.

    Args:
        boxes: (..., 4).
        top: where the part begins.
        left: where it begins.
        height: its height.
        width: its width.
        bounding_box_format: `"xyxy"`.

    Raises:
        NotImplementedError: for other formats.
    """
    _check_corners(bounding_box_format)
    x1, y1, x2, y2 = sides(boxes)
    return joined(_clipped((x1 - left, y1 - top, x2 - left, y2 - top), height, width))


def pad(
    boxes: Any,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Move boxes of an image that is padded.

    Args:
        boxes: (..., 4).
        top: rows above.
        left: columns to the left.
        height: height of the image; corners do not depend on it.
        width: its width, likewise.
        bounding_box_format: `"xyxy"`.

    Raises:
        NotImplementedError: for other formats.
    """
    _check_corners(bounding_box_format)
    x1, y1, x2, y2 = sides(boxes)
    return joined((x1 + left, y1 + top, x2 + left, y2 + top))


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Sequence[float] | None = None,
    image_shape: Sequence[Any] | None = None,
) -> Any:
    """Return boxes relative to anchors: moves in units of the anchor, logarithms of ratios.

    Args:
        anchors: (n, 4).
        boxes: (n, 4) or (batch, n, 4).
        anchor_format: format of the anchors.
        box_format: format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`.
        variance: 4 numbers that the result is divided by.
        image_shape: (height, width, channels), for relative formats.

    Raises:
        ValueError: if an argument is not legal.
    """
    height, width = _checked_encoding("encoding_format", encoding_format, variance, image_shape)
    at = convert_format(anchors, anchor_format, encoding_format, height, width)
    to = convert_format(boxes, box_format, encoding_format, height, width)
    size, new = (ops.maximum(each[..., 2:], epsilon()) for each in (at, to))
    deltas = ops.concatenate([(to[..., :2] - at[..., :2]) / size, ops.log(new / size)], axis=-1)
    return deltas if variance is None else deltas / ops.convert_to_tensor(variance, "float32")


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Sequence[float] | None = None,
    image_shape: Sequence[Any] | None = None,
) -> Any:
    """Return the boxes that `encode_box_to_deltas` made these deltas of.

    Args:
        anchors: (n, 4), or a dict of them by level.
        boxes_delta: (n, 4) or (batch, n, 4), or a dict of them.
        anchor_format: format of the anchors.
        box_format: format of the result.
        encoded_format: `"center_yxhw"` or `"center_xywh"`.
        variance: 4 numbers that the deltas are multiplied by.
        image_shape: (height, width, channels), for relative formats.

    Raises:
        ValueError: if an argument is not legal.
    """
    if isinstance(anchors, Mapping) and isinstance(boxes_delta, Mapping):
        more = (anchor_format, box_format, encoded_format, variance, image_shape)
        return {k: decode_deltas_to_boxes(a, boxes_delta[k], *more) for k, a in anchors.items()}
    height, width = _checked_encoding("encoded_format", encoded_format, variance, image_shape)
    at = convert_format(anchors, anchor_format, encoded_format, height, width)
    if variance is not None:
        boxes_delta = boxes_delta * ops.convert_to_tensor(variance, "float32")
    size = at[..., 2:]
    box = ops.concatenate(
        [boxes_delta[..., :2] * size + at[..., :2], ops.exp(boxes_delta[..., 2:]) * size], axis=-1
    )
    return convert_format(box, encoded_format, box_format, height, width)


def _clipped(corners: Corners, height: Any, width: Any) -> Corners:
    x1, y1, x2, y2 = corners
    return (
        *(ops.clip(x1, 0, width), ops.clip(y1, 0, height)),
        *(ops.clip(x2, 0, width), ops.clip(y2, 0, height)),
    )


def _check_corners(bounding_box_format: str) -> None:
    if bounding_box_format != "xyxy":
        raise NotImplementedError(
            'Boxes are moved in the format "xyxy"; use `convert_format`. Received: '
            f"bounding_box_format={bounding_box_format!r}"
        )


def _checked_encoding(
    name: str,
    encoding: str,
    variance: Sequence[float] | None,
    image_shape: Sequence[Any] | None,
) -> tuple[Any, Any]:
    """The size of the image, if the other arguments are legal."""
    if encoding not in _ENCODINGS:
        raise ValueError(
            f"`{name}` must be one of {', '.join(_ENCODINGS)}. Received: {name}={encoding!r}"
        )
    if variance is not None and len(variance) != 4:
        raise ValueError(f"`variance` must have 4 numbers. Received: variance={variance}")
    return image_size(image_shape)
