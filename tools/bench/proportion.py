"""The cost of deep stacks, of small calls and of a start, in seconds and microseconds.

    python tools/bench/proportion.py [stack calls start] [--layers 100 400 1000] [--json FILE]

`stack`: n Dense(32) layers, Adam, batch 64: the time from nothing to the first step, of a step by
layer, and of loading the saved model. `calls`: `model(x)` and `predict(x, verbose=0)` on a sample,
by what they take beyond the run of the session. `start`: the first step of Xception, all weights
trained, 8 images of 96 x 96. Times are the shortest of several, by the clock; those of a start are
of the processor, too, because they are taken once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

import seqonnx as keras  # noqa: E402 - path set above
from seqonnx import layers  # noqa: E402 - path set above

WIDTH, BATCH = 32, 64
Row = dict[str, Any]


def once(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of some work, by the clock and of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def best(work: Callable[[], Any], times: int = 200) -> float:
    """The fewest seconds that some work takes."""
    return min(once(work)[0] for _ in range(times))


def dense(number: int) -> keras.Model:
    """A stack of Dense layers, compiled."""
    inner = (layers.Dense(WIDTH) for _ in range(number))
    model = keras.Sequential([keras.Input((WIDTH,)), *inner])
    model.compile("adam", "mse")
    return model


def stack(number: int) -> Row:
    """From nothing to the first step, a step by layer, and loading, for so many layers."""
    x = np.random.default_rng(0).standard_normal((BATCH, WIDTH), np.float32)
    dense(2).train_on_batch(x, x)  # what is loaded once for a process
    made: list[keras.Model] = []

    def begin() -> None:
        made.append(dense(number))
        made[0].train_on_batch(x, x)

    seconds, cpu = once(begin)
    step = best(lambda: made[0].train_on_batch(x, x), 30)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "stack.onnx")
        made[0].save(file)
        load = best(lambda: keras.models.load_model(file), 2)
    figures = {"first step s": seconds, "CPU s": cpu, "us a layer": step / number * 1e6}
    return {"row": f"{number} Dense({WIDTH})", **figures, "load s": load}


def calls() -> list[Row]:
    """The time of a call and a prediction of one sample beyond the run."""
    one = np.ones((1, WIDTH), np.float32)
    inputs = {name: keras.Input((WIDTH,), name=name) for name in ("first", "second", "third")}
    several = keras.Model(inputs, layers.Add()(list(inputs.values())))
    masked = keras.Sequential([keras.Input((2, WIDTH)), layers.Masking(), layers.SimpleRNN(4)])
    cases: list[tuple[str, keras.Model, Any]] = [
        ("2 layers", dense(2), one),
        ("50 layers", dense(50), one),
        ("a dict of 3 inputs", several, dict.fromkeys(inputs, one)),
        ("a mask", masked, np.ones((1, 2, WIDTH), np.float32)),
    ]
    return [_beyond_the_run(*case) for case in cases]


def _beyond_the_run(name: str, model: keras.Model, x: Any) -> Row:
    """Microseconds of the run of a session, and what a call and a prediction take besides."""
    model(x)
    session = model._sessions.forward().current().session
    arrays = list(x.values()) if isinstance(x, dict) else [x]
    feeds = dict(zip(session.input_names, arrays, strict=True))
    run = best(lambda: session._session.run(session.output_names, feeds), 2000) * 1e6
    call = best(lambda: model(x), 2000) * 1e6 - run
    predict = best(lambda: model.predict(x, verbose=0), 2000) * 1e6 - run
    return {"row": name, "run us": run, "call + us": call, "predict + us": predict}


def start() -> Row:
    """The first step of the whole of Xception."""
    x = np.random.default_rng(0).standard_normal((8, 96, 96, 3), np.float32)

    def begin() -> None:
        base = keras.applications.Xception(
            weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg"
        )
        model = keras.Sequential([base, layers.Dense(10, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.train_on_batch(x, np.arange(8))

    seconds, cpu = once(begin)
    return {"row": "Xception", "first step s": seconds, "CPU s": cpu}


def table(rows: list[Row]) -> Table:
    """The figures of rows of one kind for people."""
    shown = Table(*rows[0])
    for row in rows:
        shown.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    return shown


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], "stack", "calls", "start"])
    parser.add_argument("--layers", type=int, nargs="+", default=[100, 400, 1000])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    parts = options.parts or ["stack", "calls", "start"]
    measured: dict[str, list[Row]] = {}
    if "stack" in parts:
        measured["stack"] = [stack(number) for number in options.layers]
    if "calls" in parts:
        measured["calls"] = calls()
    if "start" in parts:
        measured["start"] = [start()]
    for rows in measured.values():
        Console().print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
