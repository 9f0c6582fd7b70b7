"""Export every model of `models/`, untrained, the same bytes each time.

    python tools/refresh/build_models.py [FOLDER]

Beside the models it writes `versions.json`: the packages that decide about the bytes. A file that
would exceed 1 MB is left out: only small ones are kept with the code.
"""

from __future__ import annotations

import importlib.metadata
import json
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

import seqonnx as keras  # noqa: E402

MODELS = ROOT / "models"
NAMES = (
    "guide_dense",
    "guide_convnet",
    "digits_cnn",
    "mnist_cnn",
    "feature_extractor",
    "transformer",
    "character_lstm",
)
LIMIT = 1_000_000
PACKAGES = ("numpy", "onnx", "onnx_ir", "onnxscript")


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide about the bytes."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def build(name: str) -> keras.Sequential:
    """Build one model with weights of seed 0."""
    keras.clear_session()
    keras.set_random_seed(0)
    model: keras.Sequential = runpy.run_path(str(MODELS / f"{name}.py"))["build"]()
    return model


def export(name: str, folder: Path) -> Path | None:
    """Export one model; returns the file, or None if it is too large."""
    path = folder / f"{name}.onnx"
    build(name).export(path)
    if path.stat().st_size > LIMIT:
        path.unlink()
        return None
    return path


def main(folder: Path) -> None:
    """Export all models to `folder`."""
    for name in NAMES:
        path = export(name, folder)
        print(f"{name}: {'too large, left out' if path is None else path.stat().st_size}")
    text = json.dumps(versions(), indent=2) + "\n"
    (folder / "versions.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS)
