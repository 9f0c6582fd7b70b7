"""Every test starts with fresh names and the same seed, on the CPU."""

from support.sessions import fresh_session

__all__ = ["fresh_session"]
