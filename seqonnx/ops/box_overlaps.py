"""How much bounding boxes overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from seqonnx import ops
from seqonnx.defaults import epsilon
from seqonnx.ops.box_formats import convert_format, image_size, sides


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence[Any] | None = None,
) -> Any:
    """Return the intersection over the union of each pair of boxes.

    Args:
        boxes1: (n, 4) or (batch, n, 4).
        boxes2: (m, 4) or (batch, m, 4).
        bounding_box_format: format of both.
        use_masking: whether pairs with a box of negative numbers get `mask_val`.
        mask_val: what they get.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        (n, m) or (batch, n, m).

    Raises:
        ValueError: if a rank is not legal or the size of the image is lacking.
    """
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        if len(boxes.shape) not in {2, 3}:
            raise ValueError(f"`{name}` must have rank 2 or 3. Received: shape {boxes.shape}")
    height, width = image_size(image_shape)
    ones, others = (
        convert_format(each, bounding_box_format, "xyxy", height, width)
        for each in (boxes1, boxes2)
    )
    x1, y1, x2, y2 = sides(ones)  # (..., n, 1)
    u1, v1, u2, v2 = (ops.swapaxes(part, -1, -2) for part in sides(others))  # (..., 1, m)
    across = ops.maximum(ops.minimum(x2, u2) - ops.maximum(x1, u1), 0.0)
    down = ops.maximum(ops.minimum(y2, v2) - ops.maximum(y1, v1), 0.0)
    shared = across * down
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
    result = shared / (union + epsilon())
    if not use_masking:
        return result
    negative = ops.max(ones, axis=-1, keepdims=True) < 0
    others_negative = ops.swapaxes(ops.max(others, axis=-1, keepdims=True), -1, -2) < 0
    return ops.where(ops.logical_or(negative, others_negative), float(mask_val), result)


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Sequence[Any] | None = None
) -> Any:
    """Return the complete IoU of boxes with boxes (Zheng et al., "Distance-IoU loss", 2020).

    Args:
        boxes1: (..., 4).
        boxes2: (..., 4).
        bounding_box_format: format of both.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        (...), at most 1.
    """
    height, width = image_size(image_shape)
    x1, y1, x2, y2, u1, v1, u2, v2 = (
        ops.squeeze(part, axis=-1)
        for boxes in (boxes1, boxes2)
        for part in sides(convert_format(boxes, bounding_box_format, "xyxy", height, width))
    )
    width1, width2 = x2 - x1, u2 - u1
    height1, height2 = y2 - y1 + epsilon(), v2 - v1 + epsilon()
    across = ops.maximum(ops.minimum(x2, u2) - ops.maximum(x1, u1), 0.0)
    down = ops.maximum(ops.minimum(y2, v2) - ops.maximum(y1, v1), 0.0)
    union = width1 * height1 + width2 * height2 - across * down
    iou = across * down / (union + 2 * epsilon())
    hull = (ops.maximum(x2, u2) - ops.minimum(x1, u1)) ** 2
    hull += (ops.maximum(y2, v2) - ops.minimum(y1, v1)) ** 2 + epsilon()
    apart = (x1 + x2 - u1 - u2) ** 2 / 4 + (y1 + y2 - v1 - v2) ** 2 / 4
    angles = ops.arctan(width2 / height2) - ops.arctan(width1 / height1)
    shape = 4 / math.pi**2 * angles**2
    return iou - apart / hull - shape * shape / (shape - iou + (1 + epsilon()))
