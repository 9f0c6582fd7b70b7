"""Bounding boxes: values recorded from Keras 3.15.1 (torch)."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import Input
from seqonnx.utils import bounding_boxes as bb

BOXES = np.array([[10, 20, 30, 45], [-5, 60, 70, 80], [1, 2, 3, 4]], np.float32)
OTHERS = np.array([[12, 18, 33, 40], [0, 50, 60, 90]], np.float32)
BOTH = np.stack([BOXES, BOXES + 3])

# The box with the corners (12, 18) and (36, 45) in an image of 120 by 90, in every format.
IN_FORMAT = {
    "xyxy": [12, 18, 36, 45],
    "yxyx": [18, 12, 45, 36],
    "xywh": [12, 18, 24, 27],
    "center_xywh": [24, 31.5, 24, 27],
    "center_yxhw": [31.5, 24, 27, 24],
    "rel_xyxy": [0.1, 0.2, 0.3, 0.5],
    "rel_yxyx": [0.2, 0.1, 0.5, 0.3],
    "rel_xywh": [0.1, 0.2, 0.2, 0.3],
    "rel_center_xywh": [0.2, 0.35, 0.2, 0.3],
}


@pytest.mark.parametrize("source", IN_FORMAT)
def test_every_format_becomes_every_other(source):
    for target, expected in IN_FORMAT.items():
        box = np.array([IN_FORMAT[source]])
        result = bb.convert_format(box, source, target.upper(), height=90, width=120)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, [expected], rtol=1e-5)


def test_dict_of_boxes_is_converted_and_stays_what_it_was():
    given = {"boxes": BOXES, "labels": np.arange(3)}
    result = bb.convert_format(given, "xyxy", "xywh")
    np.testing.assert_array_equal(result["boxes"][0], [10, 20, 20, 25])
    assert given["boxes"] is BOXES


def test_symbolic_boxes_are_converted():
    assert bb.convert_format(Input((5, 4)), "xyxy", "center_xywh").shape == (None, 5, 4)


def test_boxes_are_cut_at_the_border_and_lost_ones_lose_their_label():
    boxes = np.array([[-10, -20, 150, 160], [50, 40, 70, 80], [130, 10, 150, 20]], np.float32)
    given = {"boxes": boxes, "labels": np.array([3, 1, 2])}
    result = bb.clip_to_image_size(given, height=100, width=120)
    expected = [[0, 0, 120, 100], [50, 40, 70, 80], [120, 10, 120, 20]]
    np.testing.assert_array_equal(result["boxes"], expected)
    assert result["labels"].tolist() == [3, 1, -1]
    relative = {"boxes": boxes / 100}
    result = bb.clip_to_image_size(relative, bounding_box_format="rel_xyxy")
    np.testing.assert_allclose(result["boxes"], np.clip(boxes / 100, 0, 1))


AFFINE = [
    [[-16.47298, 7.27987, 25.91943, 44.75454], [-1.70789, 30.58565, 98.81676, 90.60106]],
    [[16.11193, 31.78184, 41.56777, 58.26715], [-12.17234, 57.24807, 41.56777, 99.66409]],
]
AFFINE_CENTER = [
    [[-25.97436, -12.52693, 16.41804, 24.94775], [-11.20927, 10.77885, 89.31537, 70.79426]],
    [[10.6761, 48.69236, 36.13194, 75.17766], [-17.60818, 74.15858, 36.13194, 116.5746]],
]


@pytest.mark.parametrize(
    ("center", "recorded"),
    [({}, AFFINE), ({"center_x": 0.2, "center_y": 0.7}, AFFINE_CENTER)],
)
def test_boxes_follow_an_affine_map_of_the_image(center, recorded):
    result = bb.affine_transform(
        BOTH,
        angle=np.float32([30, -45]),
        translate_x=np.float32([0.1, 0]),
        translate_y=np.float32([-0.2, 0.3]),
        scale=np.float32([1.2, 0.8]),
        shear_x=np.float32([10, 0]),
        shear_y=np.float32([5, -20]),
        height=90,
        width=120,
        **center,
    )
    assert result.shape == (2, 3, 4)
    np.testing.assert_allclose(result[:, :2], recorded, rtol=1e-4, atol=1e-4)


def test_boxes_follow_cropping_and_padding():
    cropped = bb.crop(BOXES[:2], top=10, left=20, height=40, width=30)
    np.testing.assert_array_equal(cropped, [[0, 10, 10, 35], [0, 40, 30, 40]])
    padded = bb.pad(BOXES[:1], top=10, left=20)
    np.testing.assert_array_equal(padded, [[30, 30, 50, 55]])


def test_deltas_are_those_of_keras_and_lead_back():
    variance = [0.1, 0.1, 0.2, 0.2]
    boxes = np.stack([BOXES + 1, BOXES * 1.5])
    deltas = bb.encode_box_to_deltas(BOXES, boxes, "xyxy", "xyxy", variance=variance)
    np.testing.assert_allclose(deltas[0, 1], [0.5, 0.13333, 0, 0], atol=1e-5)
    np.testing.assert_allclose(deltas[1, 0], [6.5, 5, 2.02733, 2.02733], rtol=1e-5)
    for encoding in ("center_yxhw", "center_xywh"):
        options = {"variance": variance}
        there = bb.encode_box_to_deltas(BOXES, boxes, "xyxy", "xyxy", encoding, **options)
        back = bb.decode_deltas_to_boxes(BOXES, there, "xyxy", "xyxy", encoding, **options)
        np.testing.assert_allclose(back, boxes, rtol=1e-4, atol=1e-4)
    levels = bb.decode_deltas_to_boxes({1: BOXES}, {1: deltas}, "xyxy", "xyxy", variance=variance)
    np.testing.assert_allclose(levels[1], boxes, rtol=1e-4, atol=1e-4)
    relative = bb.encode_box_to_deltas(
        BOXES / 100, BOXES / 90, "rel_xyxy", "rel_yxyx", image_shape=(90, 120, 3)
    )
    np.testing.assert_allclose(relative[0], [-0.41111, 0.80556, -0.11778, 0.3285], rtol=1e-4)


def test_overlaps_are_those_of_keras():
    batch = bb.compute_iou(BOXES, np.stack([OTHERS, OTHERS + 2]), "xywh")
    np.testing.assert_allclose(batch[0], [[0.66252, 0.07143], [0, 0.77419], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(batch[1], [[0.63194, 0.05852], [0.01, 0.78184], [0, 0]], atol=1e-5)
    masked = BOXES.copy()
    masked[1] = -1
    result = bb.compute_iou(masked, OTHERS, "xyxy", use_masking=True, mask_val=-2)
    np.testing.assert_allclose(result, [[0.59801, 0], [-2, -2], [0, 0]], atol=1e-5)
    in_corners = bb.compute_ciou(BOXES[:2], OTHERS, "xyxy")
    np.testing.assert_allclose(in_corners, [0.58328, 0.44043], atol=1e-5)
    in_centres = bb.compute_ciou(BOXES[:2], OTHERS, "center_xywh")
    np.testing.assert_allclose(in_centres, [0.78932, 0.68318], atol=1e-5)
    # Keras 3.15.1 refuses relative boxes even with the size that it asks for.
    sizes = np.float32([120, 90, 120, 90])
    shape = (90, 120, 3)
    relative = bb.compute_ciou(BOXES[:2] / sizes, OTHERS / sizes, "rel_xyxy", image_shape=shape)
    np.testing.assert_allclose(relative, in_corners, atol=1e-5)


def test_masks_fit_boxes_of_different_ranks():
    masked = BOXES.copy()
    masked[1] = -1
    result = bb.compute_iou(masked, np.stack([OTHERS] * 2), "xyxy", use_masking=True)
    np.testing.assert_allclose(result[1], [[0.59801, 0], [-1, -1], [0, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bb.convert_format(BOXES, "xy", "xyxy"), ValueError, "`source` must be one of"),
        (lambda: bb.convert_format(BOXES[:, :3], "xyxy", "xywh"), ValueError, "4 numbers"),
        (
            lambda: bb.convert_format(BOXES, "xyxy", "rel_xyxy", height=3),
            ValueError,
            "need the `height` and `width`",
        ),
        (lambda: bb.clip_to_image_size({"boxes": BOXES}), ValueError, "are needed"),
        (
            lambda: bb.clip_to_image_size({"boxes": BOXES}, bounding_box_format="xywh"),
            NotImplementedError,
            "use `convert_format`",
        ),
        (
            lambda: bb.pad(BOXES, 1, 1, bounding_box_format="xywh"),
            NotImplementedError,
            "use `convert_format`",
        ),
        (
            lambda: bb.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"),
            ValueError,
            "`encoding_format` must be one of center_xywh",
        ),
        (
            lambda: bb.decode_deltas_to_boxes(BOXES, BOXES, "xyxy", "xyxy", variance=[1]),
            ValueError,
            "`variance` must have 4",
        ),
        (lambda: bb.compute_iou(BOXES[0], OTHERS, "xyxy"), ValueError, "`boxes1` must have rank"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
