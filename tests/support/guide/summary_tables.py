"""The look of the guide's summary tables, and the rows that two tests share."""

from __future__ import annotations

import seqonnx as keras

RULE = "_" * 65
DOUBLE = "=" * 65
HEADER = "Layer (type)                 Output Shape              Param #   "


def table(name: str, rows: list[str], params: str) -> str:
    """A table of the guide: its rows with a rule between them, and three totals."""
    body = f"\n{RULE}\n".join(rows)
    return (
        f'Model: "{name}"\n{RULE}\n{HEADER}\n{DOUBLE}\n{body}\n{DOUBLE}\n'
        f"Total params: {params}\nTrainable params: {params}\nNon-trainable params: 0\n{RULE}\n"
    )


CONV_ROWS = [
    "conv2d (Conv2D)              (None, 123, 123, 32)      2432      ",
    "conv2d_1 (Conv2D)            (None, 121, 121, 32)      9248      ",
    "max_pooling2d (MaxPooling2D) (None, 40, 40, 32)        0         ",
    "conv2d_2 (Conv2D)            (None, 38, 38, 32)        9248      ",
    "conv2d_3 (Conv2D)            (None, 36, 36, 32)        9248      ",
    "max_pooling2d_1 (MaxPooling2 (None, 12, 12, 32)        0         ",
    "conv2d_4 (Conv2D)            (None, 10, 10, 32)        9248      ",
    "conv2d_5 (Conv2D)            (None, 8, 8, 32)          9248      ",
    "max_pooling2d_2 (MaxPooling2 (None, 4, 4, 32)          0         ",
]


def plain(model: keras.Sequential) -> str:
    """The table that `summary(style="plain")` gives."""
    texts: list[str] = []
    model.summary(print_fn=texts.append, style="plain")
    assert len(texts) == 1
    return texts[0]
