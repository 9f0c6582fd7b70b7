"""Formats of bounding boxes, and their conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from seqonnx import ops

_FORMATS: Final = (
    *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
    *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
)
Corners = tuple[Any, Any, Any, Any]
"""Left, top, right and bottom, each of shape (..., 1)."""

_TO_CORNERS: Final[dict[str, Callable[[Any, Any, Any, Any], Corners]]] = {
    "xyxy": lambda x1, y1, x2, y2: (x1, y1, x2, y2),
    "yxyx": lambda y1, x1, y2, x2: (x1, y1, x2, y2),
    "xywh": lambda x, y, w, h: (x, y, x + w, y + h),
    "center_xywh": lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
    "center_yxhw": lambda y, x, h, w: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
}
_FROM_CORNERS: Final[dict[str, Callable[[Any, Any, Any, Any], Corners]]] = {
    "xyxy": lambda x1, y1, x2, y2: (x1, y1, x2, y2),
    "yxyx": lambda x1, y1, x2, y2: (y1, x1, y2, x2),
    "xywh": lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1),
    "center_xywh": lambda x1, y1, x2, y2: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
    "center_yxhw": lambda x1, y1, x2, y2: ((y1 + y2) / 2, (x1 + x2) / 2, y2 - y1, x2 - x1),
}


def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: str = "float32",
) -> Any:
    """Convert boxes from a format to another.

    Args:
        boxes: tensor or array of shape (..., 4); or a dict with such at `"boxes"`.
        source: `"xyxy"`, `"yxyx"`, `"xywh"`, `"center_xywh"`, `"center_yxhw"`, in pixels; or
            `"rel_xyxy"`, `"rel_yxyx"`, `"rel_xywh"`, `"rel_center_xywh"`, in units of the image.
        target: format of the result.
        height: height of the image; needed for relative formats.
        width: its width.
        dtype: dtype of the result.

    Raises:
        ValueError: if a format is unknown, the last axis is not 4, or a size is lacking.

    Example:
        >>> convert_format(np.array([[10, 20, 30, 40]]), "xyxy", "xywh").tolist()
        [[10.0, 20.0, 20.0, 20.0]]
    """
    if isinstance(boxes, Mapping):
        changed = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": changed}
    boxes = ops.convert_to_tensor(boxes) if isinstance(boxes, list | tuple) else boxes
    if boxes.shape[-1] != 4:
        raise ValueError(
            f"Boxes have 4 numbers on their last axis. Received: boxes of shape {boxes.shape}"
        )
    source, target = source.lower(), target.lower()
    for name, given in (("source", source), ("target", target)):
        if given not in _FORMATS:
            raise ValueError(
                f"`{name}` must be one of {', '.join(_FORMATS)}. Received: {name}={given!r}"
            )
    relative = (source.startswith("rel_"), target.startswith("rel_"))
    if any(relative) and (height is None or width is None):
        raise ValueError(
            "Relative formats need the `height` and `width` of the image. Received: "
            f"source={source!r}, target={target!r}, height={height}, width={width}"
        )
    boxes = ops.cast(boxes, dtype)
    if source == target:
        return boxes
    corners = _TO_CORNERS[source.removeprefix("rel_")](*sides(boxes))
    if relative[0] != relative[1]:
        across, down = ops.cast(width, dtype), ops.cast(height, dtype)
        scales = (across, down, across, down)
        pairs = zip(corners, scales, strict=True)
        scaled = [c * s if relative[0] else c / s for c, s in pairs]
        corners = (scaled[0], scaled[1], scaled[2], scaled[3])
    return joined(_FROM_CORNERS[target.removeprefix("rel_")](*corners))


def sides(boxes: Any) -> Corners:
    """The four numbers of boxes, each of shape (..., 1)."""
    return boxes[..., 0:1], boxes[..., 1:2], boxes[..., 2:3], boxes[..., 3:4]


def joined(parts: Corners) -> Any:
    """Boxes of their four numbers."""
    return ops.concatenate(list(parts), axis=-1)


def image_size(image_shape: Sequence[Any] | None) -> tuple[Any, Any]:
    """Height and width of an image of a shape; None where it is not given."""
    return (None, None) if image_shape is None else (image_shape[0], image_shape[1])
