"""Cases: pools of 1 to 3 dimensions."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import away, distinct, normal

NOT_THERE = "ONNX Runtime 1.31 has no GlobalLpPool of operator set 22"


def pool(op_type: str, shape: tuple, label: str, **attributes: object) -> Case:
    return Case(op_type, (distinct(*shape),), attributes, label=label)


SHARED = [
    pool(op_type, shape, label, **attributes)
    for op_type in ("MaxPool", "AveragePool")
    for label, shape, attributes in [
        ("tiles", (2, 3, 4, 6), {"kernel_shape": [2, 3], "strides": [2, 3]}),
        ("tiles-rest", (2, 3, 5, 5), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("overlap", (2, 3, 7, 7), {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ("pads", (2, 3, 6, 7), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 0]}),
        ("stride1", (2, 3, 5, 6), {"kernel_shape": [2, 3]}),
        ("stride1-pads", (2, 3, 5, 6), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ("gaps", (2, 3, 7, 7), {"kernel_shape": [2, 2], "strides": [3, 3]}),
        (
            "same",
            (2, 3, 5, 5),
            {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        ),
        ("1d", (2, 3, 6), {"kernel_shape": [2], "strides": [2]}),
        ("1d-overlap", (2, 3, 7), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
        ("3d", (2, 2, 4, 4, 2), {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
        ("3d-overlap", (1, 2, 4, 5, 4), {"kernel_shape": [2, 3, 2], "strides": [1, 2, 2]}),
        ("dilated", (2, 3, 7, 6), {"kernel_shape": [2, 2], "dilations": [2, 3], "strides": [2, 1]}),
        ("ceil", (2, 3, 6, 5), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
        ("ceil-tiles", (2, 3, 5, 5), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ]
]

AVERAGE = [
    pool("AveragePool", (2, 3, 6, 7), f"{label}-counting-pads", count_include_pad=1, **attributes)
    for label, attributes in [
        ("pads", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 0]}),
        ("stride1", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ("ceil", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1}),
    ]
]

GLOBAL = [
    Case("GlobalAveragePool", (normal(2, 3, 4, 5),)),
    Case("GlobalAveragePool", (normal(2, 3, 4),), label="1d"),
    Case("GlobalMaxPool", (distinct(2, 3, 4, 5),)),
    Case("GlobalMaxPool", (distinct(2, 3, 4),), label="1d"),
]

NORMS = [
    Case("GlobalLpPool", (away(2, 3, 4, 5),), onnxruntime=False, why=NOT_THERE),
    Case("GlobalLpPool", (away(2, 3, 4),), {"p": 3}, label="3", onnxruntime=False, why=NOT_THERE),
    Case("LpPool", (away(2, 3, 5, 6),), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case("LpPool", (away(2, 3, 5, 6),), {"kernel_shape": [3, 2], "p": 1}, label="1"),
    Case("LpPool", (away(2, 3, 5),), {"kernel_shape": [3], "pads": [1, 1], "p": 3}, label="3"),
    Case(
        "MaxUnpool",
        (normal(1, 1, 2, 2), np.array([[[[5, 7], [13, 15]]]])),
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        batch=(),
    ),
]

REGIONS = np.array(
    [[0, 0.6, 0.2, 4.7, 3.3], [1, 2, 1, 2, 1], [1, -2.6, 3, 2.4, 9], [0, 9, 1, 11, 2]], np.float64
)


def regions(label: str, **attributes: object) -> Case:
    return Case(
        "MaxRoiPool",
        (distinct(2, 3, 5, 6), REGIONS),
        attributes,
        label=label,
        unwanted=(1,),
        batch=(0, 1),
        onnxruntime=False,
        why="ONNX Runtime has MaxRoiPool of operator set 1 only",
    )


ROIS = [
    regions("plain", pooled_shape=[2, 3]),
    regions("scaled", pooled_shape=[3, 1], spatial_scale=0.6),
]

CASES = [*ROIS, *NORMS, *SHARED, *AVERAGE, *GLOBAL]
