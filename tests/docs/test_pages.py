"""README and the pages of docs tell the truth: their code runs, and prints what they show."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import itertools
import re
import shlex
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import autodiff, cli
from seqonnx.autodiff.ledger import ledger
from seqonnx.lowering import pipeline

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
ROOM = re.compile(r"`(\w+)`")
FRAME = re.compile(r"^\| \d \| `(?:\w+\.)?(\w+)` in `(seqonnx/[\w/]+\.py)`", re.MULTILINE)
PIPELINE = re.compile(r"^\| `([A-Z]+)` \|", re.MULTILINE)
CONSTANT = re.compile(r"`(\w+)` = ([\d,.]+) in `(seqonnx/[\w/]+)\.py`")
OUTPUTS = {
    "README.md": 2,
    "autodiff.md": 6,
    "cli.md": 1,
    "coming_from_keras.md": 3,
    "deploy.md": 1,
    "devices.md": 1,
    "extending.md": 14,
    "federated.md": 1,
    "quantise.md": 1,
    "ops.md": 1,
    "performance.md": 8,
    "readers.md": 1,
    "text.md": 2,
    "train_in_the_browser.md": 2,
    "tutorial.md": 13,
}
"""Blocks of each page whose output is shown, and so compared."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the `text` block that follows at once, if any."""

    language: str
    text: str
    shown: str | None
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = list(FENCE.finditer(text))
    result = []
    for match, after in itertools.zip_longest(found, found[1:]):
        follows = after is not None and text[match.end() : after.start()].strip("\n") == ""
        shown = after[2] if follows and after[1] == "text" else None
        line = text.count("\n", 0, match.start()) + 1
        if match[1] != "text":
            result.append(Block(match[1], match[2], shown, line))
    return result


def run(block: Block, page: Path, names: dict[str, object]) -> str:
    """Run a block; returns what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if block.language == "python":
            code = "\n" * block.line + block.text
            exec(compile(code, page.name, "exec"), names)
        else:
            program, *arguments = shlex.split(block.text)
            assert program == "seqonnx"
            assert cli.main(arguments) == 0
    return printed.getvalue()


def without_trailing_blanks(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@every_page
def test_code_runs_in_order_and_prints_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path))
    names: dict[str, object] = {"__name__": "page"}
    compared = 0
    for block in blocks(page):
        if block.language != "python" and block.shown is None:
            continue
        printed = without_trailing_blanks(run(block, page, names))
        shown = without_trailing_blanks(block.shown or "")
        checker = doctest.OutputChecker()
        assert checker.check_output(shown, printed, doctest.ELLIPSIS), (
            f"{page.name}, line {block.line} prints\n{printed}"
        )
        compared += block.shown is not None
    assert compared == OUTPUTS.get(page.name, 0)


@every_page
def test_code_is_formatted_for_reading(page):
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)
            assert max(map(len, block.text.splitlines())) <= 100


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as the generator and code hosts make them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return set(plain)


@every_page
def test_links_and_paths_lead_somewhere(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
    for path in re.findall(r"`?((?:seqonnx|tools|models)/[\w/]+(?:\.\w+)?)`?", text):
        assert (ROOT / path).exists(), path


@every_page
def test_page_names_no_place_of_one_machine(page):
    text = page.read_text("utf-8")
    assert re.search(r"/(?:work|tmp|home|root|Users)/|https?://(?!doi\.org)", text) is None


def test_every_page_can_be_reached_from_the_index_and_the_readme():
    index = (DOCS / "index.md").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        if page.name != "index.md":
            assert f"({page.name})" in index, page.name
            assert f"(docs/{page.name}" in readme or page.name == "reference.md", page.name


def test_readme_can_be_read_at_one_sitting():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_commands_name_extras_that_exist():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for page in PAGES:
        for extras in re.findall(r'"\.\[([\w,]+)\]"', page.read_text("utf-8")):
            for extra in extras.split(","):
                assert f"\n{extra} = [" in project


def test_command_for_the_tests_stands_where_ci_looks_for_it():
    _, marked, rest = (ROOT / "README.md").read_text("utf-8").partition("<!-- tests -->\n")
    assert marked
    first = FENCE.match(rest)
    assert first is not None
    assert first[2].rstrip().endswith("-m pytest -n 2")


def test_layout_lists_every_room():
    page = (DOCS / "how_it_works.md").read_text("utf-8")
    table = page.partition("## The rooms")[2]
    listed = {name for row in table.splitlines() if row[:1] == "|" for name in ROOM.findall(row)}
    package = ROOT / "seqonnx"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert rooms - listed == set()


def test_walk_from_fit_to_the_session_names_the_frames_of_a_traceback(monkeypatch):
    frames = []

    class Watched(onnxruntime.InferenceSession):
        def run_with_iobinding(self, *args, **kwargs):
            frames.extend(traceback.extract_stack())
            return super().run_with_iobinding(*args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Watched)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    package = Path(keras.__file__).parent
    ran = [
        (frame.name, Path(frame.filename).relative_to(package.parent).as_posix())
        for frame in frames
        if Path(frame.filename).is_relative_to(package)
    ]
    assert FRAME.findall((DOCS / "how_it_works.md").read_text("utf-8")) == ran


def test_page_on_extending_lists_every_pipeline():
    listed = PIPELINE.findall((DOCS / "extending.md").read_text("utf-8"))
    entries = {name: value for name, value in vars(pipeline).items() if isinstance(value, tuple)}
    assert listed == [name for name, passes in entries.items() if name != "DEVICES"]


def test_reference_has_every_name_of_the_top_level():
    text = (DOCS / "reference.md").read_text("utf-8")
    shown = set(re.findall(r":: seqonnx\.(\w+)$", text, re.MULTILINE))
    assert set(keras.__all__) - shown == {"models"}, "all of models is at the top level"


def test_pages_count_the_gradient_rules_and_none_is_missing():
    states = [entry.state for entry in ledger()]
    for name in ("README.md", "docs/tutorial.md"):
        text = (ROOT / name).read_text("utf-8")
        assert re.findall(r"(\d+) operators", text) == [str(states.count("rule"))]
    assert "missing" not in states


def test_page_on_gradients_names_what_there_is():
    page = (DOCS / "autodiff.md").read_text("utf-8")
    for name in ("gradients", "value_and_grad", "vjp", "jvp", "hessian_vector_product", "vmap"):
        assert f"`{name}(" in page
        assert name in autodiff.__all__


def test_page_on_performance_has_the_thresholds_of_the_code():
    found = CONSTANT.findall((DOCS / "performance.md").read_text("utf-8"))
    assert len(found) >= 8
    for name, value, file in found:
        module = importlib.import_module(file.replace("/", "."))
        assert float(value.replace(",", "")) == vars(module)[name], (name, file)


def test_page_on_the_command_lists_every_option():
    page = (DOCS / "cli.md").read_text("utf-8")
    parser = cli._parser()
    commands = next(action for action in parser._actions if action.choices)
    options = [
        option
        for action in commands.choices["inspect"]._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    ]
    assert len(options) >= 8
    for option in options:
        assert f"`{option}" in page or f", `{option}" in page, option
