"""Tests here may register rules of their own."""

from support.sessions import own_registry

__all__ = ["own_registry"]
