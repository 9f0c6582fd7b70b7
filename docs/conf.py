"""How Sphinx makes the site: `pip install -e ".[cpu,docs]"`, then `sphinx-build -W docs site`."""

from __future__ import annotations

import re

from sphinx.ext.autodoc import FunctionDocumenter

import seqonnx
from seqonnx.tensor_function import TensorFunction

project = "seqonnx"
author = "The seqonnx developers"
release = seqonnx.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
myst_heading_anchors = 4
exclude_patterns = ["site"]
autodoc_typehints = "none"
autodoc_use_legacy_class_based = True  # for a documenter of our own, below
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Returns", "Yields"]  # prose with colons, not "type: text"
default_role = "code"  # docstrings are written as Markdown: single backquotes mean code

COLON = "\ue000"  # of a private-use area: stands in no docstring


class TensorFunctionDocumenter(FunctionDocumenter):
    """Shows functions of tensors, which are objects, as functions."""

    objtype = "tensorfunction"
    directivetype = "function"
    priority = FunctionDocumenter.priority + 10

    @classmethod
    def can_document_member(
        cls, member: object, membername: str, isattr: bool, parent: object
    ) -> bool:
        """Whether a member is one."""
        return isinstance(member, TensorFunction)


def setup(app: object) -> None:
    """Have docstrings, such as |x| or "unit: seconds", and defaults read as they are written."""

    def hide_colons(app: object, what: str, *arguments: object) -> None:
        lines = arguments[-1]
        if what in {"attribute", "data", "property"} and len(lines) > 0:
            lines[0] = lines[0].replace(":", COLON)  # else Napoleon reads "type: text"

    def plain(*arguments: object) -> None:
        lines = arguments[-1]
        lines[:] = [line.replace(COLON, ":").replace("|", "\\|") for line in lines]

    def shown(*arguments: object) -> tuple[object, object]:
        signature, returned = arguments[-2:]
        if isinstance(signature, str):  # a function or a factory as a default: its name, or {}
            signature = re.sub(r"<built-in function (\w+)>", r"\1", signature)
            signature = signature.replace("<factory>", "{}")
        return signature, returned

    app.add_autodocumenter(TensorFunctionDocumenter)
    app.connect("autodoc-process-signature", shown)
    app.connect("autodoc-process-docstring", hide_colons, priority=100)
    app.connect("autodoc-process-docstring", plain, priority=900)
