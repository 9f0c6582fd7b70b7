"""The command where it runs models, compares them or writes them; nothing here prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqonnx.report.records import ModelReport

Shapes = Mapping[str, Sequence[int]]


def add_options(inspect: argparse.ArgumentParser) -> None:
    """Describe the options of `inspect` that run, compare or write models."""
    inspect.add_argument(
        "--diff",
        nargs=2,
        metavar=("A", "B"),
        help="compare two files: nodes, attributes, shapes, weights; with --inputs run both",
    )
    inspect.add_argument(
        "--inputs",
        metavar="DATA.npz|random",
        help="arrays by input name, for --run and --diff",
    )
    inspect.add_argument(
        "--run",
        dest="times",
        type=_count,
        metavar="N",
        help="run the model N times and show how long it and its rows take",
    )
    inspect.add_argument(
        "--fix-dims", metavar="OUT", help="write the file with the shapes of --shape fixed"
    )


def _count(text: str) -> int:
    """Parse a number of runs."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 1; received {text!r}")


def arrays_of(path: str | None) -> dict[str, Any] | None:
    """Read the arrays of an `.npz` file.

    Raises:
        ValueError: if it is another file.
    """
    if path is None:
        return None
    from zipfile import BadZipFile

    import numpy as np

    with open(path, "rb") as content:
        try:
            file = np.load(content, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                return {name: file[name] for name in file.files}
        except (BadZipFile, EOFError, ValueError):
            pass  # said below, as for a file of one array
    raise ValueError(f"{path} is no .npz file: write it with numpy.savez, by input names")


def run_inputs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the inputs to run on; none where they are to be made up.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no `.npz` file.
    """
    if arguments.inputs in {None, "random"}:
        return {}
    if len(arguments.shape) > 0:
        arguments.refuse("the arrays of --inputs have shapes: leave --shape out")
    return arrays_of(arguments.inputs) or {}


def shapes_of(arguments: argparse.Namespace, inputs: Mapping[str, Any]) -> Shapes:
    """Return the shapes that are given, or those of the inputs that are."""
    return dict(arguments.shape) or {name: array.shape for name, array in inputs.items()}


def collected(arguments: argparse.Namespace) -> tuple[ModelReport, dict[str, Any]]:
    """Describe the file, and write it with fixed shapes where that is asked for.

    Returns:
        The report, and the arrays to run on; none if they are to be made up.

    Raises:
        ModelFileError: if the file cannot be read.
        OSError: if another cannot be read or written.
        ValueError: if shapes or inputs do not fit.
    """
    from seqonnx.report.collect import collect

    if arguments.inputs is not None and arguments.times is None:
        arguments.refuse("--inputs goes with --run N or --diff A B")
    if arguments.fix_dims is not None and len(arguments.shape) == 0:
        arguments.refuse("--fix-dims OUT needs the shapes to fix: --shape NAME=1,3,32,32")
    inputs = run_inputs(arguments)
    shapes = shapes_of(arguments, inputs)
    report = collect(arguments.file, shapes, by_node=arguments.nodes)
    if arguments.fix_dims is not None:
        from seqonnx.report.fixed_dims import write_fixed

        write_fixed(report, shapes, Path(arguments.fix_dims))
    return report, inputs


def timed(
    report: ModelReport, runs: int, request: str | list[str] | None, inputs: dict[str, Any]
) -> ModelReport:
    """Add the times of runs to a report.

    Args:
        report: of the file.
        runs: how many.
        request: where to run; None for the CPU.
        inputs: an array per input; none for random ones.
    """
    from seqonnx.report.latency import with_latency
    from seqonnx.runtime import select_device

    return with_latency(report, runs, select_device(request or "cpu"), inputs or None)


def diff(arguments: argparse.Namespace, width: int | None) -> tuple[str, bool]:
    """Compare two files; return the text to print and whether they are equal."""
    from seqonnx.report.diff import diff_files, diff_json, diff_text
    from seqonnx.report.format import drawn, takes_boxes

    one, two = arguments.diff
    inputs, run = run_inputs(arguments), arguments.inputs is not None
    shapes = shapes_of(arguments, inputs)
    found = diff_files(one, two, shapes, run=run, inputs=inputs or None)
    encoding = sys.stdout.encoding or "utf-8"
    if arguments.form == "json":
        text = diff_json(found, ascii_only=not takes_boxes(encoding))
    else:
        text = diff_text(found, width=width, color=sys.stdout.isatty())
    return drawn(text, encoding), found.equal
