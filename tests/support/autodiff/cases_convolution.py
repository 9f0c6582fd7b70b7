"""Cases: convolutions of 1 to 3 dimensions."""

from __future__ import annotations

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import normal


def conv(x: tuple, w: tuple, label: str, *, bias: bool = True, **attributes: object) -> Case:
    extra = (normal(w[0]),) if bias else ()
    return Case("Conv", (normal(*x), normal(*w), *extra), attributes, label=label)


CONV = [
    conv((2, 3, 6, 6), (4, 3, 3, 3), "valid"),
    conv((2, 3, 6, 5), (4, 3, 3, 3), "same", pads=[1, 1, 1, 1]),
    conv((2, 3, 6, 5), (4, 3, 3, 2), "uneven-pads", pads=[0, 1, 2, 0]),
    conv((2, 3, 7, 6), (4, 3, 3, 3), "stride", strides=[2, 2], pads=[1, 1, 1, 1]),
    conv((2, 3, 8, 7), (4, 3, 3, 2), "stride-rest", strides=[3, 2], bias=False),
    conv((2, 3, 7, 8), (4, 3, 3, 3), "dilation", dilations=[2, 2], pads=[2, 2, 2, 2]),
    conv((2, 3, 9, 8), (4, 3, 3, 2), "all", dilations=[2, 3], strides=[2, 1], pads=[1, 0, 2, 2]),
    conv((2, 3, 6, 6), (4, 3, 3, 3), "same-upper", auto_pad="SAME_UPPER", strides=[2, 2]),
    conv((2, 3, 6, 6), (4, 3, 4, 4), "same-lower", auto_pad="SAME_LOWER"),
    conv((2, 3, 6, 6), (4, 3, 3, 3), "auto-valid", auto_pad="VALID"),
    conv((2, 10, 5, 5), (4, 10, 3, 3), "many-channels", pads=[1, 1, 1, 1]),
    conv((2, 10, 5, 4), (3, 10, 2, 3), "many-channels-uneven", pads=[1, 0, 0, 2]),
    conv((2, 10, 7, 6), (3, 10, 3, 2), "many-channels-stride", strides=[2, 1], pads=[1, 0, 0, 1]),
    conv((2, 10, 8, 7), (3, 10, 2, 2), "many-channels-dilation", dilations=[3, 2]),
    conv((2, 3, 8, 8), (2, 3, 5, 5), "wide-kernel", pads=[2, 2, 2, 2]),
    conv((2, 3, 4, 4), (5, 3, 1, 1), "pointwise"),
    conv((2, 3, 5, 6), (5, 3, 1, 1), "pointwise-stride", strides=[2, 2]),
    conv((2, 3, 5, 5), (5, 3, 1, 1), "pointwise-pads", pads=[1, 0, 0, 1]),
    conv((2, 8, 1, 2), (7, 8, 1, 1), "pointwise-small"),
    conv((2, 8, 3, 3), (10, 8, 1, 1), "pointwise-small-stride", strides=[2, 2]),
    conv((2, 2, 4, 4), (3, 2, 2, 2), "pads-beyond-kernel", pads=[2, 2, 2, 2]),
    conv((2, 4, 6, 6), (4, 1, 3, 3), "depthwise", group=4, pads=[1, 1, 1, 1]),
    conv((2, 4, 7, 6), (4, 1, 3, 3), "depthwise-stride", group=4, strides=[2, 2]),
    conv((2, 3, 4, 13), (3, 1, 3, 3), "depthwise-wide", group=3, pads=[1, 1, 1, 1]),
    conv((2, 3, 7, 26), (3, 1, 3, 2), "depthwise-wide-stride", group=3, strides=[2, 2]),
    conv((2, 3, 7, 17), (3, 1, 2, 3), "depthwise-wide-dilation", group=3, dilations=[3, 2]),
    conv((2, 3, 30), (3, 1, 3), "1d-depthwise-wide", group=3, pads=[0, 1]),
    conv((2, 4, 4, 4), (4, 1, 3, 3), "depthwise-small", group=4, pads=[1, 1, 1, 1]),
    conv((2, 3, 5, 4), (3, 1, 3, 2), "depthwise-small-stride", group=3, strides=[2, 1]),
    conv(
        (2, 3, 4, 4),
        (3, 1, 2, 3),
        "depthwise-small-dilation",
        group=3,
        dilations=[3, 1],
        pads=[2] * 4,
    ),
    conv((2, 3, 6, 6), (6, 1, 3, 3), "depthwise-multiplier", group=3, pads=[1, 1, 1, 1]),
    conv((2, 4, 6, 6), (6, 2, 3, 3), "grouped", group=2, pads=[1, 1, 1, 1]),
    conv((2, 4, 6, 7), (6, 2, 3, 2), "grouped-stride", group=2, strides=[2, 3]),
    conv((2, 4, 4, 4), (6, 2, 1, 1), "grouped-pointwise", group=2),
    conv((2, 3, 9), (4, 3, 3), "1d", strides=[2], pads=[1, 1]),
    conv((2, 10, 9), (4, 10, 3), "1d-many-channels", dilations=[2], pads=[2, 2]),
    conv((2, 4, 60), (4, 1, 3), "1d-depthwise", group=4, strides=[6]),
    conv((2, 4, 9), (4, 1, 3), "1d-depthwise-small", group=4),
    conv((2, 4, 9), (6, 2, 3), "1d-grouped", group=2, pads=[1, 1]),
    conv((2, 2, 4, 5, 4), (3, 2, 2, 3, 2), "3d", pads=[0, 1, 1, 1, 1, 0], strides=[2, 1, 1]),
    conv((2, 4, 4, 4, 4), (2, 2, 2, 2, 2), "3d-grouped", group=2),
    conv((2, 2, 4, 4, 4), (2, 1, 3, 3, 3), "3d-depthwise", group=2, pads=[1] * 6),
    conv((2, 2, 2, 3, 2), (2, 1, 2, 2, 2), "3d-depthwise-small", group=2, pads=[0, 0, 1, 0, 1, 0]),
]


def known_batch(x: tuple, w: tuple, label: str, **attributes: object) -> Case:
    """The batch is known in every run, so that the forms that need it run on ONNX Runtime, too."""
    return Case("Conv", (normal(*x), normal(*w)), attributes, label=label, batch=())


KNOWN_BATCH = [
    known_batch((8, 16, 33, 33), (12, 16, 3, 3), "chunks"),
    known_batch((8, 12, 33, 33), (16, 12, 3, 3), "shared-chunks", pads=[1, 1, 1, 1]),
    known_batch((2, 9, 5, 6), (10, 9, 3, 3), "shared", pads=[1, 1, 1, 1]),
    known_batch((2, 9, 5, 6), (10, 9, 3, 2), "shared-uneven", pads=[2, 1, 1, 0]),
    known_batch(
        (2, 9, 7, 8), (10, 9, 3, 2), "shared-dilation", dilations=[2, 3], pads=[2, 1, 4, 2]
    ),
    known_batch((2, 9, 6, 6), (10, 9, 4, 4), "shared-same", auto_pad="SAME_LOWER"),
]


def transposed(x: tuple, w: tuple, label: str, *, group: int = 1, **attributes: object) -> Case:
    inputs = (normal(*x), normal(*w), normal(w[1] * group))
    return Case("ConvTranspose", inputs, {"group": group, **attributes}, label=label)


CONV_TRANSPOSE = [
    transposed((2, 3, 4, 5), (3, 4, 3, 3), "valid"),
    transposed((2, 3, 4, 4), (3, 4, 3, 3), "stride", strides=[2, 2], pads=[1, 1, 1, 1]),
    transposed((2, 3, 4, 4), (3, 4, 3, 2), "padding", strides=[2, 3], output_padding=[1, 2]),
    transposed((2, 3, 4, 4), (3, 4, 2, 2), "dilation", dilations=[2, 2], pads=[1, 0, 0, 1]),
    transposed((2, 10, 4, 4), (10, 9, 3, 3), "many-channels", pads=[1, 1, 1, 1]),
    transposed((2, 4, 4, 4), (4, 3, 3, 3), "grouped", group=2, strides=[2, 2]),
    transposed((2, 3, 4, 4), (3, 1, 3, 3), "depthwise", group=3),
    transposed((2, 3, 5), (3, 2, 3), "1d", strides=[2]),
    transposed((2, 2, 3, 3, 3), (2, 2, 2, 2, 2), "3d"),
    transposed((2, 3, 4, 4), (3, 2, 3, 3), "output-shape", strides=[2, 2], output_shape=[8, 8]),
    transposed((2, 3, 4, 4), (3, 2, 3, 3), "same-upper", strides=[2, 2], auto_pad="SAME_UPPER"),
]

CASES = [*CONV, *KNOWN_BATCH, *CONV_TRANSPOSE]
