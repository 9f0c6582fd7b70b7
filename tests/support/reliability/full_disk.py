"""Write every kind of file where the disk is full, and report as JSON. Run by `test_full_disk.py`.

python tests/support/reliability/full_disk.py FOLDER limit  # files may not grow beyond LIMIT bytes
python tests/support/reliability/full_disk.py FOLDER fill   # FOLDER is a small disk, filled
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

import seqonnx as keras
from seqonnx import downloads, layers
from seqonnx.callbacks import CSVLogger, ModelCheckpoint
from seqonnx.models import saving as model_files

LIMIT = 5 * 4096
"""Full pages: the table that fills them cannot grow by a row."""


def make(units: int) -> keras.Model:
    """A model; with many units its files are larger than the disk has room for."""
    model = keras.Sequential([keras.Input((40,)), layers.Dense(units), layers.Dense(1)], name="m")
    model.compile("sgd", "mse")
    return model


def checkpoint(name: str, **options: object) -> Callable[[keras.Model, Path], None]:
    """A writer through the callback."""

    def write(model: keras.Model, folder: Path) -> None:
        callback = ModelCheckpoint(folder / name, **options)
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_end(0, {})

    return write


def table(**more: float) -> Callable[[keras.Model, Path], None]:
    """A writer of a row into a table that ends where the disk does."""

    def write(model: keras.Model, folder: Path) -> None:
        path = folder / "log.csv"
        if not path.exists():
            header, row = b"epoch,loss\n", b"0,0.5\n"
            rows, zeros = divmod(LIMIT - len(header), len(row))
            path.write_bytes(header + b"0" * zeros + row * rows)
            return
        logger = CSVLogger(path, append=True)
        logger.on_train_begin()
        logger.on_epoch_end(1, {"loss": 0.25, **more})

    return write


def download(model: keras.Model, folder: Path) -> None:
    """A fetch into the cache; what is fetched is as large as the model."""
    os.environ["SEQONNX_CACHE"] = str(folder.parent)
    content = "0" * 100 * model.layers[0].units + "/fetched.bin"
    checksum = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    downloads.fetch(downloads.RemoteFile(f"data:,{content}", checksum), pause=0)


WRITERS: dict[str, tuple[str, Callable[[keras.Model, Path], None]]] = {
    "save": ("m.onnx", lambda model, folder: model.save(folder / "m.onnx")),
    "data file": (
        "m.onnx.",
        lambda model, folder: model_files.save(model._sessions, folder / "m.onnx", external_from=1),
    ),
    "export": ("m.onnx", lambda model, folder: model.export(folder / "m.onnx")),
    "npz": ("m.npz", lambda model, folder: model.save_weights(folder / "m.npz")),
    "h5": ("m.weights.h5", lambda model, folder: model.save_weights(folder / "m.weights.h5")),
    "checkpoint": ("m.onnx", checkpoint("m.onnx")),
    "weights checkpoint": ("m.npz", checkpoint("m.npz", save_weights_only=True)),
    "table": ("log.csv", table()),
    "models": ("fetched.bin", download),
    "table with a new column": ("log.csv", table(accuracy=0.5)),
}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def limited() -> Iterator[None]:
    """Let no file grow beyond the limit."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


def main() -> None:
    """Write small files, fill the disk, write large ones, make room, write these again."""
    root = Path(sys.argv[1])
    small, large = make(1), make(1000)
    large.set_weights([np.ones(weight.shape) for weight in large.weights])
    for name, (_, write) in WRITERS.items():
        (root / name).mkdir()
        write(small, root / name)
    before = {name: contents(root / name) for name in WRITERS}
    report = {}
    with limited() if sys.argv[2] == "limit" else filled(root):
        for name, (file, write) in WRITERS.items():
            found = {"error": None, "file": None}
            try:
                write(large, root / name)
            except OSError as error:
                named = Path(str(error.filename))
                right = named.parent == root / name and named.name.startswith(file)
                found = {"error": error.errno, "file": right, "text": str(error)}
            report[name] = found | {"unchanged": contents(root / name) == before[name]}
    for name, (_, write) in WRITERS.items():
        write(large, root / name)
        report[name]["written later"] = contents(root / name) != before[name]
    print(json.dumps(report))


if __name__ == "__main__":
    main()
