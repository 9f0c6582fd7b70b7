"""Settings of the process are as they were after each test."""

from support.sessions import settings

__all__ = ["settings"]
