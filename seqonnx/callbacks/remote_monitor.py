"""RemoteMonitor: send the metrics of every epoch to a server."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np

from seqonnx.callbacks.base import Callback, Logs

_PATIENCE = 30.0
"""Seconds after which a server that does not answer is given up."""


class RemoteMonitor(Callback):
    """Posts `{"epoch": ..., "loss": ...}` to a server after every epoch.

    A server that cannot be reached, or refuses, gives a warning; training goes on.

    Args:
        root: address of the server.
        path: path on it.
        field: field of the form that holds the JSON text.
        headers: further headers of the request.
        send_as_json: whether the body is the JSON text itself, with the content type
            `application/json`, and no form.

    Raises:
        ValueError: if `root` is no http address.

    Example:
        >>> RemoteMonitor("http://localhost:9000").path
        '/publish/epoch/end/'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        if not root.startswith(("http://", "https://")):
            raise ValueError(f"`root` must begin with http:// or https://. Received: root={root}")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Send the metrics of this epoch."""
        event = {"epoch": epoch} | {name: _plain(value) for name, value in (logs or {}).items()}
        text = json.dumps(event)
        if self.send_as_json:
            body, kind = text.encode(), "application/json"
        else:
            body, kind = urlencode({self.field: text}).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind} | dict(self.headers or {})
        request = Request(self.root + self.path, data=body, headers=headers)
        try:
            with urlopen(request, timeout=_PATIENCE):
                pass
        except (URLError, OSError) as error:
            warnings.warn(
                f"Could not reach RemoteMonitor root server at {self.root}: {error}", stacklevel=2
            )


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
