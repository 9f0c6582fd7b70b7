"""Record the scores of the programs of `models/keras_idiom`, run by real Keras.

    KERAS_BACKEND=tensorflow python tests/support/models/record_keras_programs.py [NAME ...]

Needs keras, tensorflow (for its data sets, tables of words and tape), pandas, pillow, scikit-learn.
The programs run as they are, with Keras in seqonnx's place and TensorFlow's `GradientTape`.
"""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import tensorflow
from keras_programs import PREPARED, run

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[2] / "models" / "keras_idiom"
RECORDED = HERE / "recorded_keras_programs.json"


def main(names: list[str]) -> None:
    """Run the programs and write `recorded_keras_programs.json`."""
    sys.modules["seqonnx"] = keras
    keras.GradientTape = tensorflow.GradientTape
    recorded = json.loads(RECORDED.read_text("utf-8")) if RECORDED.exists() else {}
    recorded["keras"], recorded["backend"] = keras.__version__, keras.backend.backend()
    for name in names or PREPARED:
        keras.utils.set_random_seed(0)
        program = SimpleNamespace(**runpy.run_path(str(PROGRAMS / f"{name}.py")))
        with tempfile.TemporaryDirectory() as folder:
            recorded[name] = run(name, program, Path(folder))
        print(name, recorded[name])
        RECORDED.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
