"""The five summaries that the Sequential guide prints, character for character."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seqonnx.report import LayerRow, SummaryTotals, render_summary

GUIDE = Path(__file__).resolve().parents[3] / "shared" / "seeds" / "000_c772fee2baaf80f7.txt"

RULE = "_" * 65
DOUBLE = "=" * 65

FIRST_DENSE = [
    'Model: "sequential_3"',
    RULE,
    "Layer (type)                 Output Shape              Param #   ",
    DOUBLE,
    "dense_7 (Dense)              (1, 2)                    10        ",
    RULE,
    "dense_8 (Dense)              (1, 3)                    9         ",
    RULE,
    "dense_9 (Dense)              (1, 4)                    16        ",
    DOUBLE,
    "Total params: 35",
    "Trainable params: 35",
    "Non-trainable params: 0",
    RULE,
]
ONE_DENSE = [
    'Model: "sequential_4"',
    RULE,
    "Layer (type)                 Output Shape              Param #   ",
    DOUBLE,
    "dense_10 (Dense)             (None, 2)                 10        ",
    DOUBLE,
    "Total params: 10",
    "Trainable params: 10",
    "Non-trainable params: 0",
    RULE,
]
ONE_DENSE_BY_INPUT_SHAPE = [
    'Model: "sequential_5"',
    RULE,
    "Layer (type)                 Output Shape              Param #   ",
    DOUBLE,
    "dense_11 (Dense)             (None, 2)                 10        ",
    DOUBLE,
    "Total params: 10",
    "Trainable params: 10",
    "Non-trainable params: 0",
    RULE,
]
THREE_CONVOLUTIONAL = [
    'Model: "sequential_6"',
    RULE,
    "Layer (type)                 Output Shape              Param #   ",
    DOUBLE,
    "conv2d (Conv2D)              (None, 123, 123, 32)      2432      ",
    RULE,
    "conv2d_1 (Conv2D)            (None, 121, 121, 32)      9248      ",
    RULE,
    "max_pooling2d (MaxPooling2D) (None, 40, 40, 32)        0         ",
    DOUBLE,
    "Total params: 11,680",
    "Trainable params: 11,680",
    "Non-trainable params: 0",
    RULE,
]
NINE_CONVOLUTIONAL = [
    'Model: "sequential_6"',
    RULE,
    "Layer (type)                 Output Shape              Param #   ",
    DOUBLE,
    "conv2d (Conv2D)              (None, 123, 123, 32)      2432      ",
    RULE,
    "conv2d_1 (Conv2D)            (None, 121, 121, 32)      9248      ",
    RULE,
    "max_pooling2d (MaxPooling2D) (None, 40, 40, 32)        0         ",
    RULE,
    "conv2d_2 (Conv2D)            (None, 38, 38, 32)        9248      ",
    RULE,
    "conv2d_3 (Conv2D)            (None, 36, 36, 32)        9248      ",
    RULE,
    "max_pooling2d_1 (MaxPooling2 (None, 12, 12, 32)        0         ",
    RULE,
    "conv2d_4 (Conv2D)            (None, 10, 10, 32)        9248      ",
    RULE,
    "conv2d_5 (Conv2D)            (None, 8, 8, 32)          9248      ",
    RULE,
    "max_pooling2d_2 (MaxPooling2 (None, 4, 4, 32)          0         ",
    DOUBLE,
    "Total params: 48,672",
    "Trainable params: 48,672",
    "Non-trainable params: 0",
    RULE,
]


def dense(name, batch, units, params):
    return LayerRow(name, "Dense", (batch, units), params, built=True, trainable=True)


def convolution(number, side, params):
    name = "conv2d" if number == 0 else f"conv2d_{number}"
    return LayerRow(name, "Conv2D", (None, side, side, 32), params, built=True, trainable=True)


def pooling(number, side):
    name = "max_pooling2d" if number == 0 else f"max_pooling2d_{number}"
    return LayerRow(name, "MaxPooling2D", (None, side, side, 32), 0, built=True, trainable=None)


STEM = [convolution(0, 123, 2432), convolution(1, 121, 9248), pooling(0, 40)]
REST = [
    convolution(2, 38, 9248),
    convolution(3, 36, 9248),
    pooling(1, 12),
    convolution(4, 10, 9248),
    convolution(5, 8, 9248),
    pooling(2, 4),
]

TABLES = {
    "three dense layers called on (1, 4)": (
        "sequential_3",
        [dense("dense_7", 1, 2, 10), dense("dense_8", 1, 3, 9), dense("dense_9", 1, 4, 16)],
        FIRST_DENSE,
    ),
    "one dense layer after Input": ("sequential_4", [dense("dense_10", None, 2, 10)], ONE_DENSE),
    "one dense layer with input_shape": (
        "sequential_5",
        [dense("dense_11", None, 2, 10)],
        ONE_DENSE_BY_INPUT_SHAPE,
    ),
    "the stem of a convolutional net": ("sequential_6", STEM, THREE_CONVOLUTIONAL),
    "the whole convolutional net": ("sequential_6", STEM + REST, NINE_CONVOLUTIONAL),
}


@pytest.mark.parametrize("case", TABLES)
def test_plain_summary_is_the_one_of_the_guide(case):
    name, rows, expected = TABLES[case]
    params = sum(row.params for row in rows)
    text = render_summary(name, rows, SummaryTotals(params, 0, 4 * params, 0), style="plain")
    assert text == "".join(f"{line}\n" for line in expected)


@pytest.mark.parametrize("case", TABLES)
def test_rows_of_the_guide_add_up_to_its_totals(case):
    lines = TABLES[case][2]
    rows = [int(line[55:]) for line in lines[4:] if re.match(r"\w+ \(", line)]
    totals = [int(line.split()[-1].replace(",", "")) for line in lines if "params:" in line]
    assert totals == [sum(rows), sum(rows), 0]


def test_literals_are_what_the_guide_prints():
    if not GUIDE.exists():
        pytest.skip("the guide is not here")
    printed = re.findall(
        r'^Model: "(?:.*\n)+?Non-trainable.*\n_+\n', GUIDE.read_text("utf-8"), re.M
    )
    assert printed == ["".join(f"{line}\n" for line in table[2]) for table in TABLES.values()]
