"""The boxed summary: a table that Keras 3 printed, and each of its variants."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from seqonnx.report import LayerRow, SummaryTotals, render_summary

CONV = LayerRow("conv2d", "Conv2D", (None, 123, 123, 32), 2432, built=True, trainable=True)
POOL = LayerRow("max_pooling2d", "MaxPooling2D", (None, 40, 40, 32), 0, built=True, trainable=None)
FROZEN = LayerRow("base", "Sequential", (None, 8), 9248, built=True, trainable=False)
INNER = LayerRow("c1", "Conv2D", (None, 8, 8, 4), 40, built=True, trainable=False, depth=1)
DEEPER = LayerRow("d", "Dense", (None, 4), 20, built=True, trainable=False, depth=2)
LAST = LayerRow("fc", "Dense", None, 0, built=False, trainable=None)
TOTALS = SummaryTotals(11_680, 0, 46_720, 0)

KERAS = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                      │ (None, 123, 123, 32)        │           2,432 │
├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤
│ max_pooling2d (MaxPooling2D)         │ (None, 40, 40, 32)          │               0 │
└──────────────────────────────────────┴─────────────────────────────┴─────────────────┘
 Total params: 16,630 (64.96 KB)
 Trainable params: 11,680 (45.62 KB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 4,950 (19.34 KB)
"""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """A terminal that is wide enough for every default."""
    monkeypatch.setenv("COLUMNS", "200")


def rows_of(text):
    """The cells of each line between the header and the bottom of the box."""
    body = text.split("┩\n")[1].split("└─")[0]
    lines = [line for line in body.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_default_look_is_that_of_keras():
    totals = replace(TOTALS, optimizer=4950, optimizer_bytes=4 * 4950)
    assert render_summary("sequential", [CONV, POOL], totals) == KERAS


def test_optimizer_has_no_line_and_no_part_in_the_total_before_it_is_built():
    text = render_summary("m", [CONV], TOTALS)
    assert "Optimizer" not in text
    assert " Total params: 11,680 (45.62 KB)\n" in text


@pytest.mark.parametrize(("columns", "width"), [("200", 88), ("92", 88), ("80", 76), ("60", 56)])
def test_width_is_88_or_four_less_than_the_terminal(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    boxes = [line for line in render_summary("m", [CONV], TOTALS).splitlines() if line[0] in "┏└"]
    assert {len(line) for line in boxes} == {width}


def test_given_length_is_honoured_on_a_narrower_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = render_summary("m" * 150, [CONV], TOTALS, line_length=130)
    assert text.splitlines()[0] == f'Model: "{"m" * 150}"'
    assert len(text.splitlines()[1]) == 130


def test_column_too_narrow_for_anything_is_refused():
    with pytest.raises(ValueError, match="Insufficient console width to print summary"):
        render_summary("m", [CONV], TOTALS, line_length=15)


@pytest.mark.parametrize("positions", [[0.25, 0.75, 1.0], [25, 75, 100]])
def test_positions_are_fractions_or_columns(positions):
    text = render_summary("m", [CONV], TOTALS, line_length=100, positions=positions)
    header = text.splitlines()[2]
    first, second = (match.start() for match in list(re.finditer("┃", header))[1:3])
    assert second - first > 2 * first - 4
    assert len(header) == 100


def test_trainable_column_says_yes_no_or_nothing_to_train():
    text = render_summary("m", [CONV, FROZEN, POOL], TOTALS, show_trainable=True)
    assert "┃ Traina… ┃" in text
    assert [row[3] for row in rows_of(text)] == ["Y", "N", "-"]
    assert len(text.splitlines()[1]) == 100


def test_graph_that_is_no_chain_shows_what_layers_are_connected_to():
    source = replace(POOL, name="in", class_name="InputLayer")
    merged = replace(CONV, connected_to=("dense[0][0]", "dense_1[0][0]"))
    text = render_summary("m", [source, merged], TOTALS)
    assert len(text.splitlines()[1]) == 108
    assert "┃ Connected to " in text
    assert [row[3] for row in rows_of(text)] == ["-", "dense[0][0], dense_1[0][0]"]


def test_layer_that_is_not_built_has_no_shape():
    assert rows_of(render_summary("m", [LAST], TOTALS)) == [["fc (Dense)", "?", "0 (unbuilt)"]]


def test_several_outputs_are_listed():
    row = replace(CONV, output_shape=[(None, 4), (None, 2)])
    assert rows_of(render_summary("m", [row], TOTALS))[0][1] == "[(None, 4), (None, 2)]"


def test_inner_layers_are_shown_only_when_expanded():
    rows = [FROZEN, INNER, DEEPER, CONV]
    assert len(rows_of(render_summary("m", rows, TOTALS))) == 2
    text = render_summary("m", rows, TOTALS, expand_nested=True)
    assert "│    └ c1 (Conv2D) " in text
    assert "│       └ d (Dense) " in text


@pytest.mark.parametrize(
    ("layer_range", "names"),
    [
        (("conv2d", "base"), ["conv2d", "max_pooling2d", "base"]),
        (("base", "max"), ["max_pooling2d", "base"]),
        (("base", "fc"), ["base", "fc"]),
        ((".*2d", "max"), ["conv2d", "max_pooling2d"]),
        (("fc", "fc"), ["fc"]),
    ],
)
def test_layer_range_takes_names_as_patterns_in_any_order(layer_range, names):
    rows = [CONV, POOL, FROZEN, INNER, LAST]
    text = render_summary("m", rows, TOTALS, layer_range=layer_range)
    assert [row[0].split(" ")[0] for row in rows_of(text)] == names


def test_layer_range_takes_inner_layers_along():
    rows = [CONV, FROZEN, INNER, LAST]
    text = render_summary("m", rows, TOTALS, layer_range=("base", "base"), expand_nested=True)
    assert [row[0] for row in rows_of(text)] == ["base (Sequential)", "└ c1 (Conv2D)"]


@pytest.mark.parametrize(
    ("layer_range", "message"),
    [
        (
            ("zz", "fc"),
            "Passed layer_names do not match the layer names in the model. Received: ('zz', 'fc')",
        ),
        (("fc",), "layer_range must be a list or tuple of length 2. Received: ('fc',)"),
        ("fc", "layer_range must be a list or tuple of length 2. Received: fc"),
        ((1, "fc"), "layer_range should contain string type only. Received: (1, 'fc')"),
    ],
)
def test_layer_range_that_makes_no_sense_is_refused(layer_range, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        render_summary("m", [CONV, LAST], TOTALS, layer_range=layer_range)


def test_unknown_style_is_refused():
    with pytest.raises(ValueError, match="`style` must be 'rich' or 'plain'"):
        render_summary("m", [CONV], TOTALS, style="x")


def test_names_are_never_taken_for_markup():
    row = replace(CONV, name="[bold]x[/bold]")
    assert "[bold]x[/bold] (Conv2D)" in render_summary("[red]m", [row], TOTALS)


def test_colours_appear_on_a_terminal_only():
    terminal = Console(force_terminal=True, width=100, no_color=False)
    file = Console(force_terminal=False, width=100)
    rows = [CONV, FROZEN]
    coloured = render_summary("m", rows, TOTALS, console=terminal, show_trainable=True)
    plain = render_summary("m", rows, TOTALS, console=file, show_trainable=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    for code in ("38;5;34m2,432", "38;5;45mNone", "38;5;33mConv2D", "1;38;5;34mY", "1;91mN"):
        assert f"\x1b[{code}" in coloured


def test_plain_style_adds_columns_for_connections_and_training():
    merged = replace(CONV, connected_to=("dense[0][0]", "dense_1[0][0]"))
    lines = render_summary(
        "m", [POOL, merged], TOTALS, style="plain", show_trainable=True
    ).splitlines()
    assert {len(line) for line in lines[1:4]} == {109}
    assert lines[2].split()[-3:] == ["Connected", "to", "Trainable"]
    assert lines[6].split() == [
        "conv2d", "(Conv2D)", "(None,", "123,", "123,", "32)", "2432", "dense[0][0]", "Y",
    ]  # fmt: skip
    assert lines[7].strip() == "dense_1[0][0]"


def test_plain_style_takes_a_length_and_positions():
    lines = render_summary(
        "m", [CONV], TOTALS, style="plain", line_length=80, positions=[30, 70, 80]
    ).splitlines()
    assert lines[1] == "_" * 80
    assert lines[2].index("Output Shape") == 30
    assert lines[4].index("2432") == 70


def test_plain_style_shows_unbuilt_and_inner_layers():
    text = render_summary("m", [LAST, INNER], TOTALS, style="plain", expand_nested=True)
    assert "fc (Dense)                   ?                         0 (unbuilt" in text
    assert "   └ c1 (Conv2D)             (None, 8, 8, 4)           40" in text


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0.00 B"),
        (140, "140.00 B"),
        (1023, "1023.00 B"),
        (1024, "1.00 KB"),
        (46_720, "45.62 KB"),
        (194_688, "190.12 KB"),
        (3 * 2**30, "3.00 GB"),
        (5 * 2**60, "5120.00 PB"),
    ],
)
def test_sizes_step_by_1024(nbytes, text):
    rendered = render_summary("m", [], SummaryTotals(1, 0, nbytes, 0))
    assert f" Trainable params: 1 ({text})\n" in rendered
