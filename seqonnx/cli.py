"""The `seqonnx` command: parse, call, print. The only room that prints.

Nothing heavy is imported before the arguments are understood, so `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from seqonnx import __version__
from seqonnx.cli_runs import add_options, arrays_of, collected, diff, timed

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
        code: int = arguments.run(arguments)
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
        "parameters and multiply-accumulates (MACs) per layer or node. Weights are not read, so a "
        "file may be of any size. --check and --providers load the model: weights of more than "
        "2 GiB must then be external data.",
        epilog="Parameters are the numbers that the file stores and the model computes with: "
        "floating-point or quantised tensors of rank 1 or more that a node reads as data. Integers "
        "(shapes, axes, indices), scalars and what sets an operator, as a scale of Resize, are "
        "none. exit status: 0 ok, 1 a check failed or the files of --diff differ, "
        "2 the file is absent or no ONNX model",
    )
    inspect.add_argument("file", metavar="FILE", nargs="?", help="the .onnx file")
    forms = inspect.add_mutually_exclusive_group()
    for form, text in (("json", "as JSON"), ("markdown", "as Markdown"), ("csv", "rows as CSV")):
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=text)
    _add_options(inspect)
    inspect.set_defaults(run=_inspect, refuse=inspect.error)
    _add_convert(commands)
    return parser


def _add_convert(commands: Any) -> None:
    """Describe `convert`."""
    convert = commands.add_parser(
        "convert",
        help="write a model file as an ONNX file of other versions, precision or batch",
        description="Convert a .keras or whole-model .h5 file, or an .onnx file of any program, to "
        "an .onnx file, and run it against the source.",
        epilog="exit status: 0 ok, 1 the outputs differ by more than rounding explains, 2 the file "
        "is absent, broken, or holds what cannot be converted",
    )
    convert.add_argument("source", metavar="IN", help="the .keras, .h5 or .onnx file")
    convert.add_argument("target", metavar="OUT", help="the .onnx file to write")
    convert.add_argument(
        "--opset", type=int, metavar="N", help="operator set, 13 to 23; default 18 if that suffices"
    )
    convert.add_argument("--ir-version", type=int, metavar="N", help="version of the file format")
    precision = convert.add_mutually_exclusive_group()
    precision.add_argument("--float16", action="store_true", help="compute in float16")
    precision.add_argument("--int8", action="store_true", help="quantise; needs --calibration")
    convert.add_argument(
        "--calibration", metavar="DATA.npz", help="inputs that show the ranges, by their names"
    )
    convert.add_argument(
        "--batch", type=_batch, metavar="N|free", help="samples that the result takes"
    )
    convert.add_argument(
        "--external-data", action="store_true", help="weights in a data file beside the model"
    )
    convert.add_argument(
        "--inputs", metavar="DATA.npz", help="inputs to compare on; default: made up"
    )
    convert.set_defaults(run=_convert)


def _add_options(inspect: argparse.ArgumentParser) -> None:
    """Describe the options of `inspect`."""
    inspect.add_argument(
        "--nodes", action="store_true", help="a row per node, even where layers are recorded"
    )
    inspect.add_argument(
        "--all", action="store_true", help="rows of Constant nodes, too, which are no work"
    )
    inspect.add_argument(
        "--depth",
        type=_positive,
        metavar="N",
        help="a row for names that have the first N parts in common, as in layers.0/attention",
    )
    inspect.add_argument(
        "--top", type=_positive, metavar="N", help="only the N largest rows, the largest first"
    )
    inspect.add_argument(
        "--by",
        choices=("macs", "params", "bytes"),
        default="macs",
        help="what the largest rows of --top have most of; default macs",
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
    add_options(inspect)
    inspect.add_argument("--width", type=int, metavar="N", help="columns of the text")


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Parse `NAME=1,3,32,32`; the name may hold any character."""
    name, equals, numbers = text.rpartition("=")
    parts = [part.strip() for part in numbers.split(",")] if numbers.strip() else []
    if not equals or not name or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected NAME=1,3,32,32, received {text!r}")
    return name, tuple(int(part) for part in parts)


def _positive(text: str) -> int:
    """Parse a number from 1."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 1, received {text!r}")


def _batch(text: str) -> int | str:
    """Parse the number of a batch, or `free`."""
    if text == "free" or (text.isdecimal() and int(text) > 0):
        return text if text == "free" else int(text)
    raise argparse.ArgumentTypeError(f"expected a number from 1, or free; received {text!r}")


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

    if arguments.diff is not None:
        return _diff(arguments)
    if arguments.file is None:
        arguments.refuse("the following arguments are required: FILE, or --diff A B")
    report: ModelReport
    try:
        report, inputs = collected(arguments)
    except (ModelFileError, OSError, ValueError) as error:
        return _complain(" ".join(str(error).split()), NO_MODEL)
    if arguments.times is not None:
        try:
            report = timed(report, arguments.times, arguments.providers, inputs)
        except (DeviceError, ExecutionError, ImportError, ValueError) as error:
            return _complain(" ".join(str(error).split()), CHECK_FAILED)
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


def _diff(arguments: argparse.Namespace) -> int:
    """Compare two files and print."""
    alone = ("file", "nodes", "check", "providers", "times", "fix_dims", "all", "depth", "top")
    given = [name for name in alone if getattr(arguments, name)]
    if len(given) > 0 or arguments.form in {"csv", "markdown"}:
        arguments.refuse("--diff A B takes --json, --shape, --inputs and --width, nothing else")
    try:
        text, equal = diff(arguments, _width(arguments))
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        return _complain(" ".join(str(error).split()), NO_MODEL)
    sys.stdout.write(text)
    return OK if equal else CHECK_FAILED


def _convert(arguments: argparse.Namespace) -> int:
    """Convert, compare and print."""
    from pathlib import Path

    from seqonnx.export.options import export_options
    from seqonnx.models.converting import convert_file

    source, target = Path(arguments.source), Path(arguments.target)
    try:
        given = {
            "opset": arguments.opset,
            "ir_version": arguments.ir_version,
            "dtype": "float16" if arguments.float16 else None,
            "quantize": "int8" if arguments.int8 else None,
            "calibration_data": arrays_of(arguments.calibration),
            "external_data": True if arguments.external_data else None,
        }
        defaults = {"keep_io": True, "merge_lora": True, "weights_as": "initializer"}
        options = export_options("onnx", {**given, **defaults, "verbose": False})
        inputs = arrays_of(arguments.inputs)
        with _status() as say:
            done = convert_file(
                source, target, options, batch=arguments.batch, inputs=inputs, say=say
            )
    except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
        return _complain(" ".join(str(error).split()), NO_MODEL, "convert")
    sys.stdout.write(f"{target}: operator set {done.opset}, IR version {done.ir_version}\n")
    if done.apart is None:
        sys.stdout.write(f"not compared with {source}: {done.reason}\n")
        return OK
    sys.stdout.write(f"largest difference from {source}: {done.apart.largest:.3g}\n")
    exact = not arguments.float16 and not arguments.int8
    if exact and not done.apart.alike:
        return _complain(
            f"output '{done.apart.output}' differs by more than rounding explains",
            CHECK_FAILED,
            "convert",
        )
    return OK


@contextlib.contextmanager
def _status() -> Iterator[Callable[[str], object]]:
    """Show on a terminal what is being done."""
    from rich.console import Console

    with Console(stderr=True).status("read") as status:
        yield status.update


def _place(report: ModelReport, request: str | list[str]) -> ModelReport:
    """Add the provider of each row."""
    from pathlib import Path

    from seqonnx.report.collect import with_providers
    from seqonnx.report.read import refuse_unloadable
    from seqonnx.runtime import placement, select_device

    refuse_unloadable(report.file)
    return with_providers(report, placement(Path(report.file), select_device(request)))


def _checked(report: ModelReport) -> ModelReport:
    """Add the results of the checks."""
    from dataclasses import replace

    from seqonnx.report.check import check_model

    return replace(report, checks=check_model(report.file))


def _render(report: ModelReport, arguments: argparse.Namespace) -> str:
    """Render in the form that was asked for."""
    from seqonnx.report.format import drawn, takes_boxes
    from seqonnx.report.selection import RowSelection

    encoding = sys.stdout.encoding or "utf-8"
    for_programs = arguments.form in {"json", "csv"}
    selection = RowSelection(
        arguments.all or for_programs, arguments.depth, arguments.top, arguments.by
    )
    report = selection.of(report)
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

    text = render_text(report, width=_width(arguments), color=sys.stdout.isatty())
    return drawn(text, encoding)


def _width(arguments: argparse.Namespace) -> int | None:
    """Columns of the text: those asked for, stated by the environment, or of the terminal."""
    if arguments.width is not None:
        return int(arguments.width)
    stated = os.environ.get("COLUMNS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    if not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or None


def _complain(reason: object, code: int, command: str = "inspect") -> int:
    """Print why on standard error."""
    sys.stderr.write(f"seqonnx {command}: {reason}\n")
    return code
