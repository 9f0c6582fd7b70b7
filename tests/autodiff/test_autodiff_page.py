"""The page on differentiation tells the truth: its code runs, and prints what the page shows."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

from seqonnx import autodiff

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "autodiff.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("own_registry")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_code_runs_in_order_and_prints_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    compared = 0
    for match in BLOCK.finditer(PAGE):
        code, shown = match[1], match[2] or ""
        line = PAGE.count("\n", 0, match.start()) + 2
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + code, "docs/autodiff.md", "exec"), names)
        assert doctest.OutputChecker().check_output(shown, printed.getvalue(), doctest.ELLIPSIS), (
            f"docs/autodiff.md, line {line} prints\n{printed.getvalue()}"
        )
        compared += shown != ""
        assert max(map(len, code.splitlines())) <= 100
    assert compared == PAGE.count("```text\n") == 5


def test_page_names_what_there_is():
    for name in ("gradients", "vjp", "jvp", "hessian_vector_product"):
        assert f"`{name}(" in PAGE
        assert name in autodiff.__all__
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / link).is_file(), link
    for path in re.findall(r"`(seqonnx/[\w/.]+)`", PAGE):
        assert (DOCS.parent / path).exists(), path


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_pages_name_no_place_of_one_machine(page):
    text = page.read_text("utf-8")
    assert re.search(r"/(?:work|tmp|home|root|Users)/|https?://", text) is None
