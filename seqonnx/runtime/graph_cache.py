"""Graphs as ONNX Runtime has optimised them, kept for the next process that trains the same.

Optimising the step of a deep network takes more time than opening it optimised: 0.53 against 0.2 s
for Xception. What is kept is found by the whole content of the graph and all that decides what
ONNX Runtime makes of it, so nothing old is ever taken. Only graphs whose weights are inputs are
kept: they hold no data of the user's, and nothing that depends on the processor.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from seqonnx import config
from seqonnx.runtime.install import load_onnxruntime

_VARIABLE: Final = "SEQONNX_GRAPH_CACHE"
_FORM: Final = b"2"
"""To be raised where entries are written or used in another way."""

_SMALLEST, _LARGEST = 1 << 17, 1 << 24
"""Bytes of graphs that are kept: smaller ones are optimised in less than 0.05 s."""

_CAPACITY: Final = 1 << 28
"""Bytes of all entries together."""

_DIGEST: Final = hashlib.sha256
_logger = logging.getLogger("seqonnx")


def open_optimized(content: bytes, options: Any, open_: Callable[[bytes], Any]) -> Any:
    """Open a session on a graph that was optimised by an earlier process, or keep it for a later.

    Nothing that is wrong with the cache is an error: the graph is then optimised as ever.

    Args:
        content: the message of the graph.
        options: `onnxruntime.SessionOptions` of the session; they are changed.
        open_: opens a session on a message with these options.
    """
    if os.environ.get(_VARIABLE, "1") == "0" or not _SMALLEST <= len(content) <= _LARGEST:
        return open_(content)
    level = options.graph_optimization_level
    try:
        folder = config.cache_folder() / "graphs"
    except RuntimeError:  # the user has no home
        return open_(content)
    path = folder / f"{_key(content, level)}.graph"
    kept = _read(path)
    if kept is not None:
        options.graph_optimization_level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return open_(kept)
        except Exception as error:  # whatever is wrong with it: there is another way
            _logger.warning("An optimised graph that was kept does not open: %s", error)
            options.graph_optimization_level = level
    return _open_and_keep(content, options, open_, path)


def _open_and_keep(content: bytes, options: Any, open_: Callable[[bytes], Any], path: Path) -> Any:
    """Open a session and keep its graph."""
    try:
        draft = tempfile.TemporaryDirectory(prefix="seqonnx", ignore_cleanup_errors=True)
    except OSError:
        return open_(content)
    with draft as folder:
        written = Path(folder) / "optimised.onnx"
        options.optimized_model_filepath = str(written)
        try:
            session = open_(content)
        except Exception:  # of the graph, or of a disk that is full
            options.optimized_model_filepath = ""
            return open_(content)
        try:
            _write(path, _in_order_of(content, written.read_bytes()))
        except OSError as error:
            _logger.info("The optimised graph is not kept: %s", error)
    return session


def _in_order_of(content: bytes, optimized: bytes) -> bytes:
    """Put optimised nodes in the order that their outputs had in the graph.

    ONNX Runtime executes by that order, but has written them in another: opened so, a step would
    take its updates otherwise, and keep more for it (826 in place of 758 MiB for Xception).
    """
    import onnx

    given, model = map(onnx.load_model_from_string, (content, optimized))
    places = {name: i for i, node in enumerate(given.graph.node) for name in node.output}
    for node in model.graph.node:  # a new one comes right behind the last that it reads
        behind = max((places.get(name, 0) for name in node.input), default=0)
        for name in filter(None, node.output):
            places.setdefault(name, behind)
    nodes = sorted(model.graph.node, key=lambda node: max(places[n] for n in node.output if n))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    ordered: bytes = model.SerializeToString()
    return ordered


def _key(content: bytes, level: Any) -> str:
    """The name of an entry: all that decides what it holds."""
    runtime = load_onnxruntime()
    made_by = (runtime.__version__, runtime.get_build_info(), platform.system(), platform.machine())
    digest = _DIGEST(_FORM)
    for part in (*made_by, level.name):
        digest.update(part.encode() + b"\0")
    digest.update(content)
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    """Return what an entry holds; None if there is none or it is damaged."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now: it is among the last to go
    size = _DIGEST().digest_size
    checksum, held = whole[:size], whole[size:]
    return held if _DIGEST(held).digest() == checksum else None


def _write(path: Path, held: bytes) -> None:
    """Write an entry, and remove those that were used longest ago where all are too large."""
    if len(held) > _LARGEST:
        return
    from seqonnx.graph.writing import replacing  # needs onnx_ir, this room does not

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(_DIGEST(held).digest() + held)
    entries = []
    for entry in path.parent.glob("*.graph"):
        try:
            found = entry.stat()
        except FileNotFoundError:  # another process has removed it
            continue
        entries.append((found.st_mtime, found.st_size, entry))
    total = 0
    for _, size, entry in sorted(entries, reverse=True):
        total += size
        if total > _CAPACITY:
            with contextlib.suppress(OSError):  # removed by another process, or open on Windows
                entry.unlink()
