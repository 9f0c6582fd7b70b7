"""Pages leave the settings of the process, and the registry of gradient rules, as they were."""

from __future__ import annotations

import pytest

from support.sessions import own_registry, settings

__all__ = ["own_registry", "settings"]


@pytest.fixture(autouse=True)
def registry_of_the_page(own_registry):
    """Rules that a page registers are gone after it."""
