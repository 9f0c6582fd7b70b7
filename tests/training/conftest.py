"""Every test starts with fresh names and the same seed, on the CPU."""

from support.sessions import fresh_session, gpu

__all__ = ["fresh_session", "gpu"]
