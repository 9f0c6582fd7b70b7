"""Kill children that save, again and again, and look at what they leave. Run by `test_kill.py`.

    python tests/support/reliability/kills.py FOLDER KILLS SEED

The process has imported everything and opened no session, so a child that it forks is in the
middle of a save after a few milliseconds. Half of the children are killed at any time of the save,
half once a temporary file is there: that is the part of it that could leave something. Since the
same model gives the same bytes, a file is whole exactly if it is the old or the new one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

import seqonnx as keras
from seqonnx import layers
from seqonnx.models import saving as model_files

Save = Callable[[keras.Model, Path], None]
FORMATS: dict[str, tuple[str, Save]] = {
    "save": ("m.onnx", lambda model, path: model.save(path)),
    "data file": (
        "m.onnx",
        lambda model, path: model_files.save(model._sessions, path, external_from=1),
    ),
    "export": ("m.onnx", lambda model, path: model.export(path)),
    "npz": ("m.npz", lambda model, path: model.save_weights(path)),
    "h5": ("m.weights.h5", lambda model, path: model.save_weights(path)),
}


def make(value: float) -> keras.Model:
    """A model whose files differ from those of another value."""
    keras.clear_session()
    model = keras.Sequential(
        [keras.Input((100,)), layers.Dense(300), layers.Dense(200, "relu"), layers.Dense(3)],
        name="killed",
    )
    model.compile("adam", "mse")
    weights = [np.full(weight.shape, value, np.float32) for weight in model.weights]
    model.set_weights(weights)
    return model


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def start(save: Save, model: keras.Model, path: Path) -> int:
    """Fork a child that saves; returns its id."""
    child = os.fork()
    if child == 0:
        try:
            save(model, path)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


def wait_for_temporary(folder: Path, child: int, before: int) -> bool:
    """Wait until the child writes; False if it ended before anyone saw it."""
    while len(os.listdir(folder)) <= before:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
    return True


class Trial:
    """Kills of one format in a folder of its own."""

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        self.name, self.folder = name, folder
        file, self.save = FORMATS[name]
        self.path = folder / file
        self.random = random.Random(f"{name} {seed}")
        self.models = [make(1.0), make(2.0)]
        self.whole: list[dict[str, bytes]] = []
        folder.mkdir()
        for model in self.models:
            self.save(model, self.path)  # draws the seed of its training, for all children alike
        for model in (*self.models, self.models[0]):
            begin = time.perf_counter()
            _, status = os.waitpid(start(self.save, model, self.path), 0)
            assert status == 0, f"{name}: the child failed"
            self.duration = time.perf_counter() - begin
            self.whole.append(contents(folder))
        assert self.whole[0] == self.whole[2] != self.whole[1]
        self.writing = 0.2 * self.duration
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []

    def kill(self) -> None:
        """Save over the old file, kill, look; then save again and look."""
        child = start(self.save, self.models[1], self.path)
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, self.duration))
        elif wait_for_temporary(self.folder, child, len(self.whole[0])):
            time.sleep(self.random.uniform(0, self.writing))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left = contents(self.folder)
        state = next((i for i in (0, 1) if self.whole[i].items() <= left.items()), None)
        if state is None:
            self.faults.append(f"{self.name}: neither old nor new is whole, of {sorted(left)}")
        else:
            self.seen["new" if state else "old"] += 1
            self.seen["left"] += len(left) > len(self.whole[state])
        self.save(self.models[0], self.path)
        if contents(self.folder) != self.whole[0]:
            self.faults.append(f"{self.name}: the next save leaves {sorted(contents(self.folder))}")


def main() -> None:
    """Kill, and print what was seen as JSON."""
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    trials = [Trial(name, folder / name, seed) for name in FORMATS]
    for number in range(kills):
        trials[number % len(trials)].kill()
    print(
        json.dumps(
            {
                "seen": {trial.name: dict(trial.seen) for trial in trials},
                "faults": [fault for trial in trials for fault in trial.faults],
                "seconds": {trial.name: round(trial.duration, 4) for trial in trials},
            }
        )
    )


if __name__ == "__main__":
    main()
