"""Kinds of files that can be trained, each in the pattern of the program that writes them.

Every file is a small network; its weights are random and have no meaning. Numbers in the text are
what the exporter writes as they are; tensors that are only declared become weights.
"""

from __future__ import annotations

from support.importers.kinds.newer_sets import NEWER_SETS
from support.importers.kinds.other_exports import OTHER_EXPORTS
from support.importers.kinds.runtime_exports import RUNTIME_EXPORTS
from support.importers.kinds.torch_exports import TORCH_EXPORTS

KINDS = TORCH_EXPORTS | OTHER_EXPORTS | RUNTIME_EXPORTS | NEWER_SETS
"""The text of each file by the name of its kind."""
