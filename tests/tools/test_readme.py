"""The README tells the truth: its code runs, and prints what the README shows."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from seqonnx import cli
from seqonnx.autodiff.ledger import ledger

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROOM = re.compile(r"`(\w+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the `text` block that follows at once, if any."""

    language: str
    text: str
    shown: str | None
    line: int


def blocks() -> list[Block]:
    found = list(FENCE.finditer(README))
    result = []
    for match, after in zip(found, [*found[1:], None], strict=True):
        follows = after is not None and README[match.end() : after.start()] == "\n"
        shown = after[2] if follows and after[1] == "text" else None
        line = README.count("\n", 0, match.start()) + 1
        if match[1] != "text":
            result.append(Block(match[1], match[2], shown, line))
    return result


def run(block: Block, names: dict[str, object]) -> str:
    """Run a block; returns what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if block.language == "python":
            exec(compile(block.text, f"README.md, line {block.line}", "exec"), names)
        else:
            program, *arguments = shlex.split(block.text)
            assert program == "seqonnx"
            assert cli.main(arguments) == 0
    return printed.getvalue()


def without_trailing_blanks(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_code_runs_in_order_and_prints_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    names: dict[str, object] = {"__name__": "readme"}
    compared = 0
    for block in blocks():
        if block.language != "python" and block.shown is None:
            continue
        printed = without_trailing_blanks(run(block, names))
        shown = without_trailing_blanks(block.shown or "")
        checker = doctest.OutputChecker()
        assert checker.check_output(shown, printed, doctest.ELLIPSIS), (
            f"README.md, line {block.line} prints\n{printed}"
        )
        compared += 1
    assert compared >= 10


def test_code_is_formatted_for_reading():
    for block in blocks():
        if block.language == "python":
            ast.parse(block.text)
            assert max(map(len, block.text.splitlines())) <= 100


def test_commands_name_files_and_extras_that_exist():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    commands = "\n".join(block.text for block in blocks() if block.language == "sh")
    for file in re.findall(r"(?:models|tools)/[\w/]+\.\w+", README):
        assert (ROOT / file).is_file(), file
    for extras in re.findall(r'"\.\[([\w,]+)\]"', README):
        for extra in extras.split(","):
            assert f"\n{extra} = [" in project
    assert "models/digits_cnn.py" in commands


def test_command_for_the_tests_stands_where_ci_looks_for_it():
    _, marked, rest = README.partition("<!-- tests -->\n")
    assert marked
    first = FENCE.match(rest)
    assert first is not None
    assert first[2].rstrip().endswith("-m pytest -n 2")


def test_layout_lists_every_room():
    table = README.partition("## Layout")[2].partition("\n## ")[0]
    listed = {name for row in table.splitlines() if row[:1] == "|" for name in ROOM.findall(row)}
    package = ROOT / "seqonnx"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert rooms - listed == set()


def test_readme_counts_the_gradient_rules_and_none_is_missing():
    states = [entry.state for entry in ledger()]
    counts = re.findall(r"(\d+) operators", README)
    assert counts == [str(states.count("rule"))] * 2
    assert "missing" not in states


def test_readme_names_no_place_of_one_machine():
    assert re.search(r"/(?:work|tmp|home|root|Users)/|https?://(?!doi\.org)", README) is None
