"""Export every model of `models/`, the same bytes each time.

    python tools/build_models.py [FOLDER]

A file that would exceed 1 MB is left out: only small ones are kept with the code.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import seqonnx as keras

MODELS = Path(__file__).resolve().parent.parent / "models"
NAMES = ("guide_dense", "guide_convnet", "digits_cnn", "mnist_cnn")
LIMIT = 1_000_000


def build(name: str, folder: Path) -> Path | None:
    """Export one model with weights of seed 0; returns the file, or None if it is too large."""
    keras.clear_session()
    keras.set_random_seed(0)
    model = runpy.run_path(str(MODELS / f"{name}.py"))["build"]()
    path = folder / f"{name}.onnx"
    model.export(path)
    if path.stat().st_size > LIMIT:
        path.unlink()
        return None
    return path


def main(folder: Path) -> None:
    """Export all models to `folder`."""
    for name in NAMES:
        path = build(name, folder)
        print(f"{name}: {'too large, left out' if path is None else path.stat().st_size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS)
