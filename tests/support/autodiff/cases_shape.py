"""Cases: what moves, joins, repeats, cuts and pads."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import ints, normal

MOVING = [
    Case("Reshape", (normal(2, 3, 4), ints(-1, 12)), constants=(1,), batch=(0,)),
    Case("Reshape", (normal(2, 3, 4), ints(0, 4, 3)), constants=(1,), label="copy"),
    Case("Reshape", (normal(2, 3), ints(3, 2)), label="run-time"),
    Case("Flatten", (normal(2, 3, 4),)),
    Case("Flatten", (normal(2, 3, 4),), {"axis": 2}, label="axis2"),
    Case("Squeeze", (normal(2, 1, 4), ints(1)), constants=(1,)),
    Case("Squeeze", (normal(2, 1, 4, 1),), batch=(), label="all"),
    Case("Unsqueeze", (normal(2, 4), ints(1, -1)), constants=(1,)),
    Case("Transpose", (normal(2, 3, 4),)),
    Case("Transpose", (normal(2, 3, 4),), {"perm": [1, 2, 0]}, label="perm"),
    Case("Expand", (normal(2, 1, 4), ints(2, 3, 4)), constants=(1,)),
    Case("Expand", (normal(3, 1), ints(2, 3, 4)), constants=(1,), label="rank"),
    Case("Expand", (normal(1, 4), ints(3, 4)), batch=(), label="run-time"),
    Case("Expand", (normal(1, 4), ints(3, 4)), label="symbolic-one"),
    Case("Cast", (normal(3, 4),), {"to": 11}, label="to-double"),
    Case("CastLike", (normal(3, 4), normal(1)), unwanted=(1,)),
    Case("Where", (normal(3, 4) > 0, normal(3, 4), normal(3, 4, seed=1)), batch=(0, 1, 2)),
    Case("Where", (normal(3, 1) > 0, normal(4), np.array(0.5)), label="broadcast"),
    Case("Concat", (normal(2, 3), normal(2, 1), normal(2, 2)), {"axis": 1}, batch=(0, 1, 2)),
    Case("Concat", (normal(2, 3), normal(1, 3)), {"axis": 0}, batch=(0,), label="batch"),
    Case("Concat", (normal(2, 3),), {"axis": -1}, label="one"),
    Case("Split", (normal(2, 6), ints(2, 4)), {"axis": 1}, 2, constants=(1,)),
    Case(
        "Split",
        (normal(2, 6), ints(1, 2, 3)),
        {"axis": 1},
        3,
        constants=(1,),
        targets=(1,),
        label="one-used",
    ),
    Case("Split", (normal(2, 6),), {"axis": -1, "num_outputs": 3}, 3, label="even"),
    Case("Tile", (normal(2, 3), ints(2, 3)), constants=(1,)),
    Case("Tile", (normal(2, 3), ints(1, 4)), label="run-time"),
    Case("Trilu", (normal(2, 3, 4),)),
    Case("Trilu", (normal(2, 3, 4), np.array(1)), {"upper": 0}, constants=(1,), label="lower"),
    Case(
        "ReverseSequence",
        (normal(2, 4, 3), ints(2, 3)),
        {"batch_axis": 0, "time_axis": 1},
        constants=(1,),
    ),
    Case("SpaceToDepth", (normal(2, 3, 4, 6),), {"blocksize": 2}),
    Case("DepthToSpace", (normal(2, 8, 2, 3),), {"blocksize": 2}),
    Case("DepthToSpace", (normal(2, 8, 2, 3),), {"blocksize": 2, "mode": "CRD"}, label="CRD"),
]

HUGE = 2**62
SLICES = [
    Case("Slice", (normal(4, 5, 6), *rows), constants=constants, label=label)
    for label, constants, rows in [
        ("middle", (1, 2, 3), (ints(1), ints(3), ints(1))),
        ("batch", (1, 2, 3), (ints(1, 0), ints(3, HUGE), ints(0, 2))),
        ("no-axes", (1, 2), (ints(0, 1), ints(HUGE, -1))),
        ("negative", (1, 2, 3), (ints(-3), ints(-1), ints(-1))),
        ("step", (1, 2, 3, 4), (ints(1), ints(6), ints(2), ints(2))),
        ("flip", (1, 2, 3, 4), (ints(-1), ints(-HUGE), ints(1), ints(-1))),
        ("back-by-2", (1, 2, 3, 4), (ints(5), ints(0), ints(2), ints(-2))),
        ("flip-batch", (1, 2, 3, 4), (ints(-1), ints(-HUGE), ints(0), ints(-1))),
        ("step-batch", (1, 2, 3, 4), (ints(1), ints(HUGE), ints(0), ints(2))),
        ("run-time", (3,), (ints(1, 1), ints(3, 4), ints(1, 2))),
    ]
]

PADS = [
    Case("Pad", (normal(2, 3, 4), ints(0, 1, 2, 0, 0, 1), np.array(0.3)), constants=(1,)),
    Case("Pad", (normal(2, 3, 4), ints(1, 0, 0, 0, 0, 0)), constants=(1,), label="batch"),
    Case(
        "Pad",
        (normal(2, 3, 4), ints(1, 2, 0, 1), None, ints(-1, 1)),
        constants=(1, 3),
        label="axes",
    ),
    Case("Pad", (normal(2, 3, 4), ints(0, 1, 2, 0, 0, 1)), label="run-time"),
    *(
        Case(
            "Pad",
            (normal(2, 3, 5), ints(0, 1, 2, 0, 2, 1)),
            {"mode": mode},
            constants=(1,),
            label=mode,
        )
        for mode in ("reflect", "edge", "wrap")
    ),
]

CASES = [*MOVING, *SLICES, *PADS]
