"""Reads damaged files, one after the other, and says how each reading ended.

Runs as a process of its own, since a damaged file may hang it or bring it down:
`PYTHONPATH=tests python -m support.reliability.mutation_worker FOLDER FIRST LAST STRIDE`.
Before a case it prints `start SEED`, after it `done SEED OUTCOME`, where the outcome is `loaded`,
`refused`, or what should not be.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["SEQONNX_DEVICE"] = "cpu"

import seqonnx as sx
from seqonnx import layers
from seqonnx.autodiff import gradients
from seqonnx.errors import GradientError, ModelFileError
from seqonnx.report.collect import collect
from support.reliability import mutations

MEMORY = 1 << 30
PACKAGE = str(Path(sx.__file__).parent) + os.sep
NAMES = {
    "saved": ("sequential/output", "dense"),
    "exported": ("dense", "input"),
    "foreign": ("y", "x"),
}

Operation = Callable[[Path], object]


def operations(kind: str, model: sx.Sequential, whole: Path) -> list[Operation]:
    """The readers of a format."""
    if kind in ("weights.h5", "legacy.h5", "npz"):
        return [model.load_weights]
    if kind == "keras":
        other = sx.load_model(whole)
        return [sx.load_model, sx.load_model, other.load_weights]
    report = collect(whole)
    source, target = report.inputs[0].name, report.outputs[0].name
    return [
        sx.load_model,
        layers.ONNXModel,
        lambda path: gradients(path, target, source),
        collect,
    ]


def outcome(read: Operation, path: Path) -> str:
    """How reading a file ended."""
    try:
        read(path)
    except BaseException as error:
        links, seen = error, error
        while links is not None:
            seen, links = links, links.__cause__ or links.__context__
            if isinstance(seen, MemoryError):
                return f"MemoryError: {seen}"
        if isinstance(error, ModelFileError | GradientError):
            text = str(error)
            named = path.name in text or isinstance(error, GradientError)
            return "refused" if named else f"does not name the file: {text[:200]}"
        frames = traceback.extract_tb(error.__traceback__)
        if type(error) is ValueError and frames[-1].filename.startswith(PACKAGE):
            return "refused"
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        return f"{type(error).__name__} at {where}: {str(error)[:200]}"
    return "loaded"


def peak() -> int:
    """Most memory since the last call, in bytes."""
    text = Path("/proc/self/status").read_text()
    found = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(found.split()[1]) << 10


def main(folder: Path, first: int, last: int, stride: int) -> None:
    """Go through the cases."""
    warnings.simplefilter("ignore")
    files = mutations.whole_files(folder)
    model = mutations.network()
    readers: dict[str, list[Operation]] = {}
    for kind, whole in files.items():
        path = folder / f"whole_{kind}{mutations.SUFFIXES.get(kind, '.onnx')}"
        path.write_bytes(whole)
        readers[kind] = operations(kind, model, path)
        for read in readers[kind]:
            expected = outcome(read, path)
            if expected == "refused" and (kind, read) == ("exported", sx.load_model):
                continue
            if expected != "loaded":
                sys.exit(f"the whole {kind} file is not read: {expected}")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + 2 * MEMORY, hard))
    peak()
    for seed in range(first, last, stride):
        kind = mutations.FORMATS[seed % len(mutations.FORMATS)]
        read = readers[kind][seed // len(mutations.FORMATS) % len(readers[kind])]
        path = folder / f"case{mutations.SUFFIXES.get(kind, '.onnx')}"
        path.write_bytes(mutations.mutate(kind, files[kind], seed))
        print("start", seed, flush=True)
        result = outcome(read, path)
        most = peak()
        if most > MEMORY:
            result = f"took {most >> 20} MB ({result})"
        print("done", seed, kind, " ".join(result.split()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
