"""Record what real Keras gives.

    KERAS_BACKEND=torch PYTHONPATH=tests/distillation python tests/distillation/record_keras.py

Recorded with Keras 3.15.1 on PyTorch 2.13.0; TensorFlow's gradient of a cross-entropy takes targets
that are no probabilities for such.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
from cases import losses, run

FILE = Path(__file__).with_name("keras.json")


def main() -> None:
    """Write the file."""
    values = {name: run(keras, name) for name in losses(keras)}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
