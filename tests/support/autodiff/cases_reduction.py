"""Cases: reductions and cumulative sums."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import away, between, distinct, ints, normal

SHAPE = (2, 3, 4)
REDUCTIONS = {
    "ReduceSum": normal(*SHAPE),
    "ReduceMean": normal(*SHAPE),
    "ReduceMax": distinct(*SHAPE),
    "ReduceMin": distinct(*SHAPE),
    "ReduceSumSquare": normal(*SHAPE),
    "ReduceL1": away(*SHAPE),
    "ReduceL2": normal(*SHAPE),
    "ReduceLogSum": between(0.2, 2, *SHAPE),
    "ReduceLogSumExp": normal(*SHAPE),
    "ReduceProd": away(*SHAPE, gap=0.2),
}

CASES = [
    Case(op_type, (x, *axes), attributes, constants=(1,), label=label)
    for op_type, x in REDUCTIONS.items()
    for label, axes, attributes in [
        ("all", (), {}),
        ("all-dropped", (), {"keepdims": 0}),
        ("last", (ints(-1),), {"keepdims": 0}),
        ("first", (ints(0),), {"keepdims": 0}),
        ("two", (ints(1, 2),), {"keepdims": 1}),
        ("noop", (), {"noop_with_empty_axes": 1}),
    ]
] + [
    *(
        Case(op_type, (x, ints(2, 0)), label="axes-at-run-time")
        for op_type, x in REDUCTIONS.items()
    ),
    Case("ReduceSum", (normal(2, 80, 80), ints(1, 2)), constants=(1,), label="large"),
    Case("ReduceSum", (normal(3, 0, 2), ints(1)), constants=(1,), label="empty"),
    *(
        Case(
            "CumSum",
            (normal(*SHAPE), np.array(1)),
            {"exclusive": exclusive, "reverse": reverse},
            constants=(1,),
            label=f"{exclusive}{reverse}",
        )
        for exclusive in (0, 1)
        for reverse in (0, 1)
    ),
]
