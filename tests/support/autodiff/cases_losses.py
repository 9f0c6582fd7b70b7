"""Cases: the loss operators of the standard."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import between, normal

LABELS = np.array([2, 0, 4, 2])
PIXELS = np.array([[2, 0, 1], [1, 1, 2]])

CASES = [
    Case(op_type, (scores, labels, *weight), attributes, label=label, batch=(0, 1), unwanted=(2,))
    for op_type in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
    for label, scores, labels, weight, attributes in [
        ("mean", normal(4, 5), LABELS, (), {}),
        ("sum", normal(4, 5), LABELS, (), {"reduction": "sum"}),
        ("none", normal(4, 5), LABELS, (), {"reduction": "none"}),
        ("weighted", normal(4, 5), LABELS, (between(0.5, 2, 5),), {}),
        ("ignored", normal(4, 5), LABELS, (between(0.5, 2, 5),), {"ignore_index": 2}),
        ("pixels", normal(2, 3, 3), PIXELS, (), {"reduction": "none", "ignore_index": 0}),
    ]
] + [
    Case("SoftmaxCrossEntropyLoss", (normal(4, 5), LABELS), {}, 2, label="log", batch=(0, 1)),
]
