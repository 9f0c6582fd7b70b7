"""How Sphinx makes the site: `pip install -e ".[cpu,docs]"`, then `sphinx-build -W docs site`."""

from __future__ import annotations

import seqonnx

project = "seqonnx"
author = "The seqonnx developers"
release = seqonnx.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
myst_heading_anchors = 4
exclude_patterns = ["site"]
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Returns", "Yields"]  # prose with colons, not "type: text"
default_role = "code"  # docstrings are written as Markdown: single backquotes mean code


def setup(app: object) -> None:
    """Have bars in formulas, such as |x|, read as they are."""

    def plain_bars(*arguments: object) -> None:
        lines = arguments[-1]
        lines[:] = [line.replace("|", "\\|") for line in lines]

    app.connect("autodoc-process-docstring", plain_bars, priority=900)
