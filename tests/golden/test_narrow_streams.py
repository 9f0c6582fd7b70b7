"""Everything printed reaches a stream that cannot encode it: boxes in ASCII, names escaped."""

from __future__ import annotations

import io
import locale
import sys

import numpy as np
import pytest
from rich.console import Console

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import Progbar

ENCODINGS = ["ascii", "cp1252", "latin-1", "cp437", "utf-8"]


def stream(encoding):
    """A standard output of this encoding, which refuses what it cannot encode."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


def text_of(out):
    """The text that was written, read back in its own encoding."""
    out.flush()
    return out.buffer.getvalue().decode(out.encoding)


def make_model():
    """A model whose names no 8-bit encoding holds."""
    inner = keras.Sequential([layers.Dense(4, name="b❤")], name="inner")
    stack = [keras.Input((3,)), layers.Dense(2, name="café_🙂"), inner, layers.Dense(2, name="end")]
    return keras.Sequential(stack, name="modèle")


@pytest.mark.parametrize("style", ["rich", "plain"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_summary_is_printed_on_any_stream(encoding, style, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    make_model().summary(style=style, show_trainable=True, expand_nested=True)
    lines = text_of(out).splitlines()
    shown = {
        "ascii": "caf\\xe9_\\U0001f642 (Dense)",
        "cp1252": "café_\\U0001f642 (Dense)",
        "latin-1": "café_\\U0001f642 (Dense)",
        "cp437": "café_\\U0001f642 (Dense)",
        "utf-8": "café_🙂 (Dense)",
    }
    assert any(shown[encoding] in line for line in lines)
    assert any(
        line.rstrip().endswith("Total params: 30") or "30 (120.00 B)" in line for line in lines
    )
    table = [line for line in lines if line[0] in "+|┏┃┡│├└_="]
    if encoding != "utf-8":  # aligned although names were escaped
        assert {len(line) for line in table} == ({100} if style == "rich" else {76})
        assert not any(sign in line for line in lines for sign in "┃│└━…")


@pytest.mark.parametrize(("encoding", "box"), [("ascii", "+--"), ("utf-8", "┏━━")])
def test_text_for_a_function_suits_standard_output(encoding, box, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream(encoding))
    texts = []
    make_model().summary(print_fn=texts.append)
    assert texts[0].splitlines()[1].startswith(box)


def test_text_for_a_function_can_be_written_to_a_file_of_the_locale(monkeypatch, tmp_path):
    monkeypatch.setattr(locale, "getpreferredencoding", lambda do_setlocale=True: "cp1252")
    with (tmp_path / "summary.txt").open("w", encoding="cp1252") as file:
        make_model().summary(print_fn=file.write)
    assert "caf\\xe9_\\U0001f642" in (tmp_path / "summary.txt").read_text("cp1252")


def test_summary_goes_whole_to_a_stream_without_an_encoding(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    make_model().summary()
    assert "café_🙂" in out.getvalue()
    assert "┏━━" in out.getvalue()


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_progress_of_fit_is_printed_on_any_stream(encoding, verbose, monkeypatch):
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    model = make_model()
    model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError(name="écart_→")])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=verbose)
    assert {"ascii": "\\xe9cart_\\u2192: ", "cp1252": "écart_\\u2192: "}[encoding] in text_of(out)


def test_live_bar_is_drawn_on_a_narrow_terminal():
    out = stream("ascii")
    console = Console(file=out, width=80, force_terminal=True, no_color=True, color_system=None)
    bar = Progbar(3, console=console, interval=0)
    for step in range(3):
        bar.update(step + 1, [("éc", 1.0)])
    assert "3/3 -------------------- 0s" in text_of(out)
    assert "\\xe9c: 1.0000" in text_of(out)
