"""Screen: whole lines, and at most one live line that is redrawn in place."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from seqonnx import defaults

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_AnyLine = TypeVar("_AnyLine", bound="Text | str")


class Screen:
    """Where a run writes: messages, and the progress bar below them.

    A message that comes while the live line is on show replaces it, and the next `draw` shows the
    live line again underneath.

    Args:
        console: where to write; default: a `rich.console.Console` on standard output, made on
            first use.

    Example:
        >>> screen = Screen()
        >>> screen.line("Epoch 1/2")
        Epoch 1/2
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._given = console is not None
        self._drawn = 0  # cells of the live line on show

    @property
    def console(self) -> Console:
        """The console itself."""
        if self._console is None:
            from rich.console import Console

            self._console = Console()
        return self._console

    @property
    def is_live(self) -> bool:
        """Whether a line can be redrawn here: on a terminal and in a notebook."""
        return not self._logs and (self.console.is_terminal or self.console.is_jupyter)

    @property
    def _logs(self) -> bool:
        """Whether lines go to the logger: see `config.disable_interactive_logging`."""
        return not self._given and not defaults.is_interactive_logging_enabled()

    @property
    def rule(self) -> str:
        """The character that a bar is drawn with: one that the stream can encode."""
        return "-" if self.console.options.ascii_only else "━"

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy, which writes to standard output."""
        return {"_console": None, "_given": False, "_drawn": 0}

    def line(self, text: Text | str) -> None:
        """Write one whole line, in place of a live line; to a logger, where that is wished."""
        if self._logs:
            logging.getLogger("seqonnx").info("%s", text)
            return
        if self._drawn > 0:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0
        self.console.print(
            self._encodable(text), markup=False, highlight=False, emoji=False, soft_wrap=True
        )

    def draw(self, text: Text) -> None:
        """Show `text` as the live line, cut to the width of the console."""
        cut = self._encodable(text.copy())
        # A line that wraps could not be overwritten by a carriage return.
        cut.truncate(max(1, self.console.width - 1))
        with self.console.capture() as captured:
            self.console.print(cut, end="", no_wrap=True)
        self._write("\r" + captured.get() + " " * max(0, self._drawn - cut.cell_len))
        self._drawn = cut.cell_len

    def close(self) -> None:
        """End a live line that is still on show, so that what follows starts on a new line."""
        if self._drawn > 0:
            self._write("\n")
            self._drawn = 0

    def _encodable(self, text: _AnyLine) -> _AnyLine:
        """Escape the characters that the stream cannot encode, as a metric's name may hold them."""
        plain = str(text)
        encoding = self.console.encoding
        escaped = plain.encode(encoding, "backslashreplace").decode(encoding)
        return text if escaped == plain else type(text)(escaped)

    def _write(self, text: str) -> None:
        """Write past rich, which strips carriage returns and cannot redraw in a notebook."""
        if not self.console.quiet:
            self.console.file.write(text)
            self.console.file.flush()
