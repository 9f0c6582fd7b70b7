"""Every name of `keras.layers` is there, or stands on the page of those that are missing."""

from __future__ import annotations

import re
from pathlib import Path

from seqonnx import layers

HERE = Path(__file__).parent
KERAS = set((HERE / "keras_layer_names.txt").read_text("utf-8").split())
"""`dir(keras.layers)` of Keras 3.15.1."""


def test_missing_names_of_keras_are_those_of_the_page():
    page = (HERE.parents[1] / "docs" / "coming_from_keras.md").read_text("utf-8")
    table = page.partition("## Layers that are missing")[2]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert KERAS - set(layers.__all__) == listed
