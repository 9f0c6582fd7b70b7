"""Record what real Keras gives for the optimizers in a training step of one's own.

    KERAS_BACKEND=tensorflow PYTHONPATH=tests python tests/support/training/record_own_steps.py

Recorded with Keras 3.15.1 and TensorFlow 2.21.0. The tests do not need Keras.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import tensorflow

from support.training.own_step_cases import CASES, run

FILE = Path(__file__).with_name("own_steps.json")


def main() -> None:
    """Write the file."""
    values = {name: run(keras, tensorflow.GradientTape, name) for name in CASES}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
