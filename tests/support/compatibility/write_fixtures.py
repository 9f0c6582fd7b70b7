"""Write a set of files with the results of training and running them, to be readable for ever.

    export PYTHONPATH=tests
    python -m support.compatibility.write_fixtures                   # the set of this commit
    python -m support.compatibility.write_fixtures NAME              # under a name of one's own
    python -m support.compatibility.write_fixtures NAME --overwrite  # and replace what is there

A set is written once, by the version whose files it keeps, and never again: files that are
written anew show nothing about the files that people have. So an existing set stays as it is
unless the flag is given, and the tests hold every file to its checksum.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime

import seqonnx as keras
from seqonnx.models import saving as model_files
from support.compatibility.builders import CASES, CUSTOM, Case

FIXTURES = Path(__file__).parents[2] / "compatibility" / "fixtures"
RECORD = "record.json"
BATCH, ROWS = 5, 17


def main(command: Sequence[str] | None = None) -> None:
    """Write the set that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", help="default: version and commit")
    parser.add_argument("--overwrite", action="store_true", help="replace a set that exists")
    arguments = parser.parse_args(command)
    folder = FIXTURES / (arguments.name or f"{keras.__version__}-{commit()[:7]}")
    if folder.exists() and not arguments.overwrite:
        parser.error(
            f"{folder} exists. A set keeps the files of the version that wrote it; write another "
            "one, or say --overwrite."
        )
    os.environ["SEQONNX_DEVICE"] = "cpu"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    models = {name: write(name, case, folder) for name, case in CASES.items()}
    record = {
        "written_by": versions(),
        "models": models,
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
        },
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write(name: str, case: Case, folder: Path) -> dict[str, Any]:
    """Write the files of one model in the middle of its training; return what came of it."""
    keras.clear_session()
    keras.set_random_seed(1)
    model = case.build()
    x, y = case.data(ROWS, seed=1)
    model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
    for seed in (2, 3):
        model.train_on_batch(*case.data(BATCH, seed))
    model.save(folder / f"{name}.onnx")
    if case.data_file:
        model_files.save(model._sessions, folder / f"{name}.external.onnx", external_from=1)
    model.export(folder / f"{name}.export.onnx")
    model.save_weights(folder / f"{name}.npz")
    model.save_weights(folder / f"{name}.weights.h5")
    recorded = {"predictions": predictions(model, case), **go_on(model, case)}
    check_that_state_counts(folder / f"{name}.onnx", case, recorded)
    return recorded


def check_that_state_counts(path: Path, case: Case, recorded: dict[str, Any]) -> None:
    """Raise unless training without slots and counters goes elsewhere, so that tests can tell."""
    model = keras.load_model(path, custom_objects=CUSTOM)
    model.compile(model.optimizer, model.loss)  # forgets all but the weights
    moved = np.abs(np.subtract(go_on(model, case)["then"], recorded["then"])).max()
    if moved < 20 * case.rtol:
        raise RuntimeError(f"{path} shows nothing: without its state {moved} is all that changes.")


def predictions(model: keras.Model, case: Case) -> Any:
    """The model's predictions for data of its own."""
    return np.asarray(model.predict(case.data(3, seed=9)[0], verbose=0), np.float64).tolist()


def go_on(model: keras.Model, case: Case) -> dict[str, Any]:
    """Losses of the next steps, then of the next epoch, whose order and noise are seeded."""
    steps = [
        float(model.train_on_batch(*case.data(BATCH, seed), return_dict=True)["loss"])
        for seed in (4, 5, 6, 7)
    ]
    history = model.fit(*case.data(ROWS, seed=8), batch_size=BATCH, verbose=0).history
    return {
        "losses": steps,
        "history": {key: [float(value) for value in values] for key, values in history.items()},
        "then": predictions(model, case),
    }


def versions() -> dict[str, str]:
    """The versions that wrote the set."""
    return {
        "seqonnx": keras.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "h5py": h5py.__version__,
        "machine": platform.machine(),
    }


def commit() -> str:
    """The commit of this checkout."""
    command = ["git", "-C", str(FIXTURES.parent), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


__all__ = ["CUSTOM", "FIXTURES", "RECORD", "go_on", "predictions"]

if __name__ == "__main__":
    main()
