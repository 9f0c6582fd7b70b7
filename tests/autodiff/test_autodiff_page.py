"""The pages in docs tell the truth: their code runs, and prints what they show."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

from seqonnx import autodiff, config

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "autodiff.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


CONSTANT = re.compile(r"`(\w+)` = ([\d,.]+) in `(seqonnx/[\w/]+)\.py`")


@pytest.fixture
def settings():
    """Leave the settings of the process as they were."""
    before = dict(vars(config._settings))
    yield
    vars(config._settings).update(before)


@pytest.mark.usefixtures("own_registry", "settings")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize(("page", "outputs"), [("autodiff.md", 5), ("performance.md", 8)])
def test_code_runs_in_order_and_prints_what_is_shown(page, outputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path))
    text = (DOCS / page).read_text("utf-8")
    names: dict[str, object] = {"__name__": "page"}
    compared = 0
    for match in BLOCK.finditer(text):
        code, shown = match[1], match[2] or ""
        line = text.count("\n", 0, match.start()) + 2
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + code, f"docs/{page}", "exec"), names)
        assert doctest.OutputChecker().check_output(shown, printed.getvalue(), doctest.ELLIPSIS), (
            f"docs/{page}, line {line} prints\n{printed.getvalue()}"
        )
        compared += shown != ""
        assert max(map(len, code.splitlines())) <= 100
    assert compared == text.count("```text\n") == outputs


def test_page_names_what_there_is():
    for name in ("gradients", "vjp", "jvp", "hessian_vector_product"):
        assert f"`{name}(" in PAGE
        assert name in autodiff.__all__


def test_page_on_performance_has_the_thresholds_of_the_code():
    found = CONSTANT.findall((DOCS / "performance.md").read_text("utf-8"))
    assert len(found) >= 8
    for name, value, file in found:
        module = importlib.import_module(file.replace("/", "."))
        assert float(value.replace(",", "")) == vars(module)[name], (name, file)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_and_paths_of_pages_lead_somewhere(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (DOCS / link).is_file(), link
    for path in re.findall(r"`?((?:seqonnx|tools)/[\w/]+(?:\.\w+)?)`?", text):
        assert (DOCS.parent / path).exists(), path


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_pages_name_no_place_of_one_machine(page):
    text = page.read_text("utf-8")
    assert re.search(r"/(?:work|tmp|home|root|Users)/|https?://", text) is None
