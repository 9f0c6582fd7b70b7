"""Cases: gathering and scattering."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import away, distinct, ints, normal

ROWS = np.array([[0, 2, -1], [1, 2, 2]])

GATHER = [
    Case("Gather", (normal(4, 5), ROWS), label="axis0"),
    Case("Gather", (normal(2, 4, 5), ROWS), {"axis": 1}, label="axis1"),
    Case("Gather", (normal(2, 4, 5), ROWS.astype(np.int32)), {"axis": -1}, label="axis2-int32"),
    Case("Gather", (normal(2, 4, 5), np.array(-1)), {"axis": 1}, constants=(1,), label="last"),
    Case("Gather", (normal(2, 4, 5), np.array(1)), {"axis": 1}, label="scalar"),
    Case("Gather", (normal(2, 4), ints(3, 0)), {"axis": 1}, constants=(1,), label="constant"),
    Case("Gather", (normal(2, 4), ints(3, 0, 2, 1)), {"axis": 1}, constants=(1,), label="permuted"),
    Case("Gather", (normal(2, 4), ints(1, 1, 2)), {"axis": 1}, constants=(1,), label="twice"),
    Case("GatherElements", (normal(3, 4), np.array([[0, 1], [2, 2], [3, 3]])), {"axis": 1}),
    Case("GatherElements", (normal(3, 4), np.array([[0, 1, -1, 2]])), {"axis": 0}, label="axis0"),
    Case("GatherND", (normal(3, 4, 2), np.array([[0, 1], [2, 3], [0, 1]]))),
    Case("GatherND", (normal(3, 4), np.array([[0, 1], [2, 3]])), label="elements"),
    Case(
        "GatherND",
        (normal(2, 3, 4), np.array([[1], [2]])),
        {"batch_dims": 1},
        label="batch1",
        batch=(0, 1),
    ),
    Case(
        "GatherND",
        (normal(2, 3, 4, 2), np.array([[[1], [2], [0]], [[3], [3], [1]]])),
        {"batch_dims": 2},
        batch=(0, 1),
        label="batch2",
    ),
    Case("TopK", (distinct(3, 6), ints(2)), {"axis": 1}, 2, constants=(1,), targets=(0,)),
    Case(
        "TopK",
        (distinct(3, 6), ints(2)),
        {"axis": 0, "largest": 0},
        2,
        constants=(1,),
        targets=(0,),
        label="least",
    ),
    Case("OneHot", (ints(0, 2, 1), np.array(4), normal(2)), constants=(1,)),
    Case(
        "OneHot",
        (ints(0, 2, 1), np.array(4), normal(2)),
        {"axis": 0},
        constants=(1,),
        label="axis0",
    ),
    Case("Compress", (normal(3, 4), np.array([True, False, True])), {"axis": 1}),
    Case("Compress", (normal(3, 4), np.array([True, False, True])), {"axis": 0}, label="axis0"),
    Case("Compress", (normal(3, 4), np.array([False, True, True, False, True])), label="flat"),
]

ONCE = np.array([[1, 0], [2, 3], [3, 0]])
TWICE = np.array([[1, 1], [2, 3], [0, 0]])

SCATTER = [
    Case(
        "ScatterElements",
        (away(3, 4, gap=0.3), index, away(3, 2, gap=0.3, seed=1)),
        {"axis": 1, "reduction": how},
        label=how,
        batch=(0, 1, 2),
    )
    for how, index in [
        ("none", ONCE),
        ("add", TWICE),
        ("mul", TWICE),
        ("max", TWICE),
        ("min", TWICE),
    ]
] + [
    Case(
        "ScatterND",
        (away(4, 3, gap=0.3), index, away(3, 3, gap=0.3, seed=1)),
        {"reduction": how},
        label=how,
    )
    for how, index in [
        ("none", np.array([[1], [3], [0]])),
        ("add", np.array([[1], [3], [1]])),
        ("mul", np.array([[1], [3], [1]])),
        ("max", np.array([[1], [3], [1]])),
        ("min", np.array([[1], [3], [1]])),
    ]
]

ZEROS = [
    Case(
        "ScatterElements",
        (np.array([[1.5, 0.0, 2.0, -1.0]]), np.array([[0, 0, 1, 2, 2, 3]]), updates),
        {"axis": 1, "reduction": "mul"},
        label=f"mul-{label}",
        batch=(),
    )
    for label, updates in [
        ("zero", np.array([[0.0, 2.0, 3.0, 0.5, 4.0, 0.0]])),
        ("zeros", np.array([[0.0, 0.0, 0.0, 0.0, 4.0, 1.0]])),
    ]
] + [
    Case(
        "ScatterND",
        (np.array([1.5, 0.0, 2.0]), np.array([[0], [0], [1], [2]]), np.array([0.0, 2.0, 3.0, 0.0])),
        {"reduction": "mul"},
        label="mul-zero",
        batch=(),
    )
]

CASES = [*GATHER, *SCATTER, *ZEROS]
