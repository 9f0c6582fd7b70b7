"""Summaries before a model is built: tables that Keras 3.15.1 printed for the same calls."""

from __future__ import annotations

import pytest

import seqonnx as keras
from seqonnx import layers

HEAD = """\
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                         ┃ Output Shape                ┃         Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
"""
RULE = "├──────────────────────────────────────┼─────────────────────────────┼─────────────────┤\n"
FOOT = "└──────────────────────────────────────┴─────────────────────────────┴─────────────────┘\n"


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """A terminal that is wide enough for every default."""
    monkeypatch.setenv("COLUMNS", "200")


def printed(model, **options):
    """The text that `summary` prints."""
    texts = []
    model.summary(print_fn=texts.append, **options)
    return "".join(texts)


def keras_table(name, rows, params=0, size="0.00 B"):
    """A table in the look of Keras 3 with these rows."""
    body = RULE.join(f"│ {row[0]:<36} │ {row[1]:<27} │ {row[2]:>15} │\n" for row in rows)
    totals = f" Total params: {params} ({size})\n Trainable params: {params} ({size})\n"
    return f'Model: "{name}"\n{HEAD}{body}{FOOT}{totals} Non-trainable params: 0 (0.00 B)\n'


def test_layers_that_have_seen_no_input_have_no_shape_and_are_unbuilt():
    model = keras.Sequential(
        [
            layers.Dense(2, name="d0"),
            layers.Dropout(0.5, name="dr"),
            layers.Flatten(name="f"),
            layers.Dense(3, name="d1"),
        ],
        name="u",
    )
    rows = [
        ("d0 (Dense)", "?", "0 (unbuilt)"),
        ("dr (Dropout)", "?", "0"),
        ("f (Flatten)", "?", "0 (unbuilt)"),
        ("d1 (Dense)", "?", "0 (unbuilt)"),
    ]
    assert printed(model) == keras_table("u", rows)
    assert not model.built
    model.build((None, 4))
    rows = [
        ("d0 (Dense)", "(None, 2)", "10"),
        ("dr (Dropout)", "(None, 2)", "0"),
        ("f (Flatten)", "(None, 2)", "0"),
        ("d1 (Dense)", "(None, 3)", "9"),
    ]
    assert printed(model) == keras_table("u", rows, 19, "76.00 B")


@pytest.mark.parametrize("stack", [[], [keras.Input((3,))]])
def test_model_without_layers_has_a_table_without_rows(stack):
    assert printed(keras.Sequential(stack, name="e")) == keras_table("e", [])


def test_inner_models_that_are_not_built_expand():
    inner = keras.Sequential([layers.Dense(4, name="i0"), layers.Dense(4, name="i1")], name="inner")
    model = keras.Sequential([layers.Dense(2, name="d0"), inner], name="u2")
    outer = [("d0 (Dense)", "?", "0 (unbuilt)"), ("inner (Sequential)", "?", "0 (unbuilt)")]
    assert printed(model) == keras_table("u2", outer)
    rows = [*outer, *((f"   └ i{index} (Dense)", "?", "0 (unbuilt)") for index in (0, 1))]
    assert printed(model, expand_nested=True) == keras_table("u2", rows)


def test_layers_that_are_built_count_in_a_model_that_is_not():
    called = layers.Dense(2, name="d0")
    called(keras.Input((3,)))
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(4, name="i")], name="inner")
    model = keras.Sequential([called, inner, layers.Dense(4, name="d1")], name="part")
    rows = [
        ("d0 (Dense)", "(None, 2)", "8"),
        ("inner (Sequential)", "(None, 4)", "12"),
        ("d1 (Dense)", "?", "0 (unbuilt)"),
    ]
    assert printed(model) == keras_table("part", rows, 20, "80.00 B")


def test_frozen_layers_count_as_not_trainable_before_the_model_is_built():
    frozen, free = layers.Dense(2, name="a"), layers.Dense(3, name="b")
    for layer in (frozen, free):
        layer(keras.Input((3,)))
    frozen.trainable = False
    model = keras.Sequential([frozen, free, layers.Dense(4)])
    text = printed(model, style="plain")
    assert text.splitlines()[-4:-1] == [
        "Total params: 20",
        "Trainable params: 12",
        "Non-trainable params: 8",
    ]
    model.trainable = False
    assert "\nTrainable params: 0\n" in printed(model, style="plain")


def test_layers_without_weights_yet_have_no_say_in_the_trainable_column():
    text = printed(keras.Sequential([layers.Dense(2, name="d0")]), show_trainable=True)
    assert "│ d0 (Dense)                            │ ?                             │" in text
    assert "│    0 (unbuilt) │    -    │" in text


def test_plain_look_never_cuts_the_number_of_parameters():
    model = keras.Sequential([layers.Dense(2, name="d0")], name="u")
    assert "d0 (Dense)                   ?                         0 (unbuilt)\n" in printed(
        model, style="plain"
    )
    line = printed(model, style="plain", show_trainable=True).splitlines()[4]
    assert line.split() == ["d0", "(Dense)", "?", "0", "(unbuilt)", "-"]


def test_layer_range_works_before_the_model_is_built():
    model = keras.Sequential([layers.Dense(2, name=name) for name in ("a", "b", "c")])
    text = printed(model, layer_range=("b", "c"), style="plain")
    assert [line.split()[0] for line in text.splitlines() if "Dense" in line] == ["b", "c"]
