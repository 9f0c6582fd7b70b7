"""Compiled sessions, by what they were compiled for; kept as long as they are right."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, Protocol, TypeVar


class SessionHolder(Protocol):
    """Something that holds a session, or several."""

    @property
    def inherited(self) -> bool:
        """Whether it was opened before this process was forked (see `Session.inherited`)."""


Holder = TypeVar("Holder", bound=SessionHolder)


class CachedSession(NamedTuple, Generic[Holder]):
    """A session that is kept.

    Args:
        made: holds the session.
        changed_at: number of the newest change that it has seen of what is baked into it.
    """

    made: Holder
    changed_at: int


class SessionCache(Generic[Holder]):
    """Compiled graphs by key, under the one rule for all of them.

    A graph holds values that were baked in when it was made: settings of layers, weights. It is
    good if it has seen the newest change of these (see `read_together` and `last_setting`),
    and if this process has opened its session. Whoever asks says which change that is; what is old
    is made anew in the same place.

    Example:
        >>> cache = SessionCache()
        >>> cache.find("batch of 32", changed_at=7) is None
        True
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, CachedSession[Holder]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: Hashable) -> Holder:
        """Return what is kept for a key, old or not."""
        return self._entries[key].made

    def find(self, key: Hashable, changed_at: int) -> Holder | None:
        """Return what is kept for a key, if it is good.

        Args:
            key: what it was made for.
            changed_at: number of the newest change of what is baked into it.
        """
        entry = self._entries.get(key)
        if entry is None or entry.changed_at < changed_at or entry.made.inherited:
            return None
        return entry.made

    def keep(self, key: Hashable, changed_at: int, made: Holder) -> Holder:
        """Keep something in the place of what was made for the same key before; returns it.

        Args:
            key: what it was made for.
            changed_at: number of the newest change that it has seen.
            made: what to keep.
        """
        self._entries[key] = CachedSession(made, changed_at)
        return made

    def get(self, key: Hashable, changed_at: int, make: Callable[[], Holder]) -> Holder:
        """Return what is kept for a key, made anew if it is not good; lets go of what is older.

        Args:
            key: what it is made for.
            changed_at: number of the newest change of what is baked into anything kept here.
            make: makes it.
        """
        self.discard_older(changed_at)
        found = self.find(key, changed_at)
        return self.keep(key, changed_at, make()) if found is None else found

    def discard_older(self, changed_at: int) -> None:
        """Let go of everything that has not seen a change."""
        # Other threads may look, keep and discard at the same time.
        for key, entry in list(self._entries.items()):
            if entry.changed_at < changed_at:
                self._entries.pop(key, None)

    def discard(self, changed_at: int) -> None:
        """Let go of everything that has seen just the changes up to one."""
        for key, entry in list(self._entries.items()):
            if entry.changed_at == changed_at:
                self._entries.pop(key, None)

    def clear(self) -> None:
        """Let everything go."""
        self._entries.clear()

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy, which compiles for itself."""
        return {"_entries": {}}
