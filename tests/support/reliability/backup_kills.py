"""Kill trainings that save backups, take them up, and compare the end. Run by a test.

    python tests/support/reliability/backup_kills.py FOLDER KILLS SEED [KIND ...]

The process has imported everything and opened no session, so a child that it forks trains after a
moment. Each trial trains one network in one folder: its children are killed at random moments,
the next one goes on, and the last one must end with the weights, the slots and the metrics of a
training that nobody has killed. Half of the kills wait for a file that is being written.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import BackupAndRestore

X = np.random.default_rng(0).normal(size=(90, 8)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 90)

KINDS: dict[str, tuple[dict[str, object], dict[str, object], int]] = {
    "epochs": ({}, {}, 1),
    "batches": ({"save_freq": 1}, {}, 1),
    "two files": ({"save_freq": 2, "double_checkpoint": True}, {}, 1),
    "several steps": ({"save_freq": 3}, {}, 2),
    "parts of a pass": ({"save_freq": 2}, {"steps_per_epoch": 4}, 1),
}
"""Arguments of the callback and of `fit`, and the steps in one run."""


def train(kind: str, folder: Path, seed: int, result: Path) -> None:
    """Train to the end, and write what came of it."""
    backup, fit, steps = KINDS[kind]
    keras.config.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=steps
    )
    callbacks = [BackupAndRestore(folder / "b", delete_checkpoint=False, **backup)]
    options = {"epochs": 8, "batch_size": 16, "verbose": 0, "callbacks": callbacks, **fit}
    history = model.fit(X, Y, **options).history
    digest = hashlib.sha256()
    for array in (*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)):
        digest.update(np.ascontiguousarray(array).tobytes())
    last = {name: values[-1] for name, values in history.items()}
    result.write_text(json.dumps([digest.hexdigest(), last]))


def start(kind: str, folder: Path, seed: int) -> int:
    """Fork a child that trains; returns its id."""
    child = os.fork()
    if child == 0:
        try:
            train(kind, folder, seed, folder / "result.json")
        except BaseException as error:
            print(f"{kind}: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int) -> bool:
    """Whether a child has ended by itself; it can still be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def is_writing(folder: Path) -> bool:
    """Whether a file is being written."""
    try:
        return any(name.endswith(".tmp") for name in os.listdir(folder / "b"))
    except FileNotFoundError:
        return False


def kill(child: int, folder: Path, chance: random.Random, duration: float) -> bool:
    """Kill a child at some time; False if it ended before."""
    time.sleep(chance.uniform(0, duration))
    if chance.random() < 0.5:
        while not is_writing(folder) and not ended(child):
            pass
    if ended(child):
        return False
    os.kill(child, signal.SIGKILL)
    return True


def main(folder: Path, kills: int, seed: int, kinds: list[str]) -> dict[str, object]:
    """Kill that many children; returns what was seen."""
    chance = random.Random(seed)
    whole: dict[str, str] = {}
    durations: dict[str, float] = {}
    for kind in kinds:
        place = folder / "whole" / kind
        place.mkdir(parents=True)
        begin = time.perf_counter()
        assert os.waitstatus_to_exitcode(os.waitpid(start(kind, place, seed), 0)[1]) == 0
        durations[kind] = time.perf_counter() - begin
        whole[kind] = (place / "result.json").read_text()
    seen: Counter[str] = Counter()
    faults: list[str] = []
    while seen["kills"] < kills:
        kind = chance.choice(kinds)
        place = folder / "killed"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        planned = chance.randint(1, 4)
        while True:
            # Before the first backup a training starts anew, from the same numbers.
            begun = (place / "b" / "latest.npz").exists()
            child = start(kind, place, seed + 1 if begun else seed)
            killed = planned > 0 and kill(child, place, chance, durations[kind])
            planned -= 1
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            seen["kills"] += killed
            seen["resumed"] += begun
            seen["left"] += killed and is_writing(place)
            if not killed:
                break
        if code != 0:
            faults.append(f"{kind}: the last child failed with {code}")
        else:
            faults += differences(kind, place, whole[kind])
        seen["trials"] += 1
    return {"seen": seen, "faults": faults}


def differences(kind: str, place: Path, whole: str) -> list[str]:
    """How a trial ended otherwise than the undisturbed training, in words."""
    (weights, logs), (expected, last) = (
        json.loads(text) for text in ((place / "result.json").read_text(), whole)
    )
    if weights != expected:
        return [f"{kind}: other weights or slots"]
    # A child that was killed after the last backup leaves the next one nothing to do.
    return [f"{kind}: {logs} != {last}"] if logs not in ({}, last) else []


if __name__ == "__main__":
    kinds = sys.argv[4:] or list(KINDS)
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), kinds)))
