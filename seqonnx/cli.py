"""The `seqonnx` command: parse, call, print. The only room that prints.

Nothing heavy is imported before the arguments are understood, so `--help` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from seqonnx import __version__

if TYPE_CHECKING:
    from seqonnx.report.records import ModelReport

OK, CHECK_FAILED, NO_MODEL = 0, 1, 2

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments without the program's name; None for those of the process.

    Returns:
        0 if all went well; 1 if a check failed or a provider cannot be had; 2 if the file is
        absent or no readable ONNX model. As usual for commands, wrong arguments end the process
        with 2 and `--help` with 0 (`SystemExit`).

    Example:
        >>> main(["inspect", "mnist.onnx", "--json"])
        0
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name in a file may not exist in the encoding of the terminal.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _inspect(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has what it wanted; Python's own flush at exit must
        # not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


def run() -> NoReturn:
    """Run the command and end the process with its exit status."""
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = argparse.ArgumentParser(
        prog="seqonnx", description="Keras-style models that are ONNX graphs."
    )
    parser.add_argument("--version", action="version", version=f"seqonnx {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    inspect = commands.add_parser(
        "inspect",
        help="describe an ONNX file: shapes, parameters, MACs",
        description="Describe an ONNX file of any producer: inputs and outputs, shapes, "
        "parameters and multiply-accumulates (MACs) per layer or node. Weights are not read.",
        epilog="exit status: 0 ok, 1 a check failed, 2 the file is absent or no ONNX model",
    )
    inspect.add_argument("file", metavar="FILE", help="the .onnx file")
    forms = inspect.add_mutually_exclusive_group()
    for form, text in (("json", "as JSON"), ("markdown", "as Markdown"), ("csv", "rows as CSV")):
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=text)
    _add_options(inspect)
    return parser


def _add_options(inspect: argparse.ArgumentParser) -> None:
    """Describe the options of `inspect`."""
    inspect.add_argument(
        "--nodes", action="store_true", help="a row per node, even where layers are recorded"
    )
    inspect.add_argument(
        "--shape",
        action="append",
        default=[],
        type=_shape,
        metavar="NAME=1,3,32,32",
        help="shape of an input, for MACs and memory; dynamic dimensions are 1 by default",
    )
    inspect.add_argument(
        "--check", action="store_true", help="validate: checker, shape inference, ONNX Runtime"
    )
    inspect.add_argument(
        "--providers",
        type=_providers,
        metavar="cpu,cuda",
        help="show which ONNX Runtime provider would run each row",
    )
    inspect.add_argument("--width", type=int, metavar="N", help="columns of the text")


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Parse `NAME=1,3,32,32`; the name may hold any character."""
    name, equals, numbers = text.rpartition("=")
    parts = [part.strip() for part in numbers.split(",")] if numbers.strip() else []
    if not equals or not name or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected NAME=1,3,32,32, received {text!r}")
    return name, tuple(int(part) for part in parts)


def _providers(text: str) -> str | list[str]:
    """Parse `cpu`, `cuda:1`, `cpu,cuda` or ONNX Runtime's own provider names."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected at least one provider")
    devices = [name for name in names if name.partition(":")[0] in _PROVIDERS]
    if len(devices) == len(names):
        # The CPU takes whatever CUDA cannot, in any order of the two.
        return next((name for name in names if name != "cpu"), "cpu")
    return [_PROVIDERS.get(name, name) for name in names]


def _inspect(arguments: argparse.Namespace) -> int:
    """Collect, check, render and print."""
    from seqonnx.errors import DeviceError, ExecutionError, ModelFileError
    from seqonnx.report.collect import collect

    try:
        report = collect(arguments.file, dict(arguments.shape), by_node=arguments.nodes)
    except (ModelFileError, ValueError) as error:
        return _complain(" ".join(str(error).split()), NO_MODEL)
    if arguments.providers is not None:
        try:
            report = _place(report, arguments.providers)
        except (DeviceError, ExecutionError, ImportError, ValueError) as error:
            return _complain(error, CHECK_FAILED)
    if arguments.check:
        report = _checked(report)
    sys.stdout.write(_render(report, arguments))
    failures = [check for check in report.checks if not check.passed]
    for check in failures:
        _complain(f"{report.file}: {check.name} failed: {check.detail}", CHECK_FAILED)
    return CHECK_FAILED if failures else OK


def _place(report: ModelReport, request: str | list[str]) -> ModelReport:
    """Add the provider of each row."""
    from pathlib import Path

    from seqonnx.report.collect import with_providers
    from seqonnx.runtime import placement, select_device

    return with_providers(report, placement(Path(report.file), select_device(request)))


def _checked(report: ModelReport) -> ModelReport:
    """Add the results of the checks."""
    from dataclasses import replace

    from seqonnx.report.check import check_model

    return replace(report, checks=check_model(report.file))


def _render(report: ModelReport, arguments: argparse.Namespace) -> str:
    """Render in the form that was asked for."""
    from seqonnx.report.format import drawn, takes_boxes

    encoding = sys.stdout.encoding or "utf-8"
    if arguments.form is not None:
        from seqonnx.report import serialize

        renderers: dict[str, Any] = {
            # a name that the stream escapes on its own, as \xe9, would be no JSON
            "json": partial(serialize.to_json, ascii_only=not takes_boxes(encoding)),
            "csv": serialize.to_csv,
            "markdown": serialize.to_markdown,
        }
        return drawn(renderers[arguments.form](report), encoding)
    from seqonnx.report.render import render_text

    terminal = sys.stdout.isatty()
    width = arguments.width
    if width is None and terminal:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    return drawn(render_text(report, width=width, color=terminal), encoding)


def _complain(reason: object, code: int) -> int:
    """Print why on standard error."""
    sys.stderr.write(f"seqonnx inspect: {reason}\n")
    return code
