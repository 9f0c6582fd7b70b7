"""Headless Chromium on a page of the tests, which sends its results to a server here."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NOWHERE = Path(__file__) / "nowhere"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and keeps what a page sends."""

    def __init__(self, *args: Any, places: Any, kept: Path, ended: Any, **kwargs: Any) -> None:
        self.places, self.kept, self.ended = places, kept, ended
        super().__init__(*args, **kwargs)

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def translate_path(self, path: str) -> str:
        _, place, *rest = path.partition("?")[0].split("/")
        return str(self.places.get(place, NOWHERE).joinpath(*rest))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path in {"/done", "/failed"}:
            self.ended.append(content.decode())
            self.ended.event.set()
        else:
            (self.kept / self.path.lstrip("/")).write_bytes(content)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class Ended(list[str]):
    """Text that the page has shown at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()


def run_in_chromium(page: str, places: Mapping[str, Path], kept: Path, profile: Path) -> None:
    """Open a page in the browser until it says that it has come to its end.

    Args:
        page: path of the page on the server.
        places: files and folders that the server has, by the first part of their paths there.
        kept: folder for the files that the page sends.
        profile: a new folder for the browser.

    Raises:
        RuntimeError: if the page fails, or does not come to its end.
    """
    ended = Ended()
    handler = functools.partial(Handler, places=places, kept=kept, ended=ended)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{page}"
        program = shutil.which("chromium")
        assert program is not None
        with subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as browser:
            try:
                came = ended.event.wait(timeout=120)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(browser.pid, signal.SIGKILL)
        server.shutdown()
    if not came:
        raise RuntimeError("The page has not come to its end in two minutes.")
    if ended[0] != "":
        raise RuntimeError(f"The page failed: {ended[0]}")
