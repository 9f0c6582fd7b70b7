"""Cases: normalizations and dropout."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import away, between, normal

CHANNELS = (normal(3), normal(3, seed=1))
STATISTICS = (normal(3, seed=2), between(0.5, 2, 3))


def trained(shape: tuple, label: str, outputs: int = 3, **attributes: object) -> Case:
    inputs = (normal(*shape) * 2 + 0.5, *CHANNELS, *STATISTICS)
    attributes = {"training_mode": 1, "epsilon": 1e-3, **attributes}
    return Case(
        "BatchNormalization",
        inputs,
        attributes,
        outputs,
        label=label,
        unwanted=(3, 4),
        targets=(0,),
    )


BATCH = [
    trained((4, 3, 3, 2), "train", momentum=0.0),
    trained((4, 3, 3, 2), "train-momentum", momentum=0.8),
    trained((4, 3), "train-vectors", momentum=0.0),
    trained((4, 3, 5), "train-1d"),
    trained((2, 3, 2, 2, 2), "train-3d", momentum=0.0),
    *(
        Case(
            "BatchNormalization",
            (normal(4, 3, 2, 2), *CHANNELS, *STATISTICS),
            {"training_mode": 1, "momentum": momentum},
            3,
            label=f"statistics-{momentum}",
            unwanted=() if momentum > 0 else (3, 4),
        )
        for momentum in (0.0, 0.75)
    ),
    *(
        Case(
            "BatchNormalization",
            (normal(4, 3, 2, 2), *CHANNELS, *STATISTICS),
            {"training_mode": 1, "momentum": 0.75},
            3,
            label=f"statistic-{target}-alone",
            unwanted=(1, 2, 5 - target),
            targets=(target,),
        )
        for target in (1, 2)
    ),
    Case("BatchNormalization", (normal(4, 3, 2, 2), *CHANNELS, *STATISTICS), label="frozen"),
    Case("BatchNormalization", (normal(4, 3), *CHANNELS, *STATISTICS), label="frozen-vectors"),
]

OTHERS = [
    Case("LayerNormalization", (normal(3, 6), normal(6), normal(6, seed=1)), label="last"),
    Case("LayerNormalization", (normal(3, 4, 6), normal(6)), label="no-bias"),
    Case(
        "LayerNormalization",
        (normal(3, 4, 6), normal(4, 6), normal(4, 6, seed=1)),
        {"axis": 1},
        label="two",
    ),
    Case(
        "LayerNormalization",
        (normal(3, 4, 6), normal(6), normal(4, 1)),
        {"axis": 1},
        label="broadcast",
    ),
    Case(
        "LayerNormalization",
        (normal(3, 6), normal(6), normal(6)),
        {"epsilon": 0.1},
        3,
        label="statistics",
    ),
    Case(
        "InstanceNormalization",
        (normal(2, 3, 4, 5), normal(3), normal(3, seed=1)),
        {"epsilon": 0.01},
    ),
    Case("InstanceNormalization", (normal(2, 3, 6), normal(3), normal(3, seed=1)), label="1d"),
    Case("Dropout", (normal(3, 4),), label="absent"),
    Case(
        "Dropout",
        (normal(3, 4), np.array(0.3), np.array(False)),
        constants=(1, 2),
        label="inference",
    ),
]

WEIGHTED = [
    Case("RMSNormalization", (normal(3, 6), normal(6)), {"epsilon": 0.01}),
    Case("RMSNormalization", (normal(3, 4, 6), normal(4, 6)), {"axis": 1}, label="two"),
    Case("MeanVarianceNormalization", (normal(2, 3, 4, 2),)),
    Case("MeanVarianceNormalization", (normal(2, 3, 4),), {"axes": [1, 2]}, label="axes"),
    Case(
        "MeanVarianceNormalization",
        (np.array([[2e-3, -1e-3], [1e-3, 3e-3]]),),
        {"axes": [1]},
        label="two-numbers",
        onnxruntime=False,
        why="what is left of the derivative, by the 1e-9 in the divisor, is lost in float32",
    ),
    Case(
        "GroupNormalization",
        (normal(2, 4, 3, 2), normal(4), normal(4, seed=1)),
        {"num_groups": 2, "epsilon": 0.01},
    ),
    Case("LpNormalization", (normal(3, 4),)),
    Case("LpNormalization", (away(2, 3, 4),), {"axis": 1, "p": 1}, label="one"),
    Case("LRN", (normal(2, 5, 3, 2),), {"size": 3, "alpha": 0.5, "bias": 1.5}),
]

CASES = [*WEIGHTED, *BATCH, *OTHERS]
