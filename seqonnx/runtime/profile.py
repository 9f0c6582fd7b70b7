"""Profiles: how long each node of a graph took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from seqonnx.runtime.nodes import emitted_name

_NODE_SUFFIX = "_kernel_time"


class ProfileRecord(NamedTuple):
    """One execution of one node.

    Args:
        node: its name in the graph; nodes that ONNX Runtime adds have names of its own.
        op: the operator that ran, which may be a fused one (`FusedConv`).
        provider: the provider that ran it.
        microseconds: how long it took. On a GPU, how long its launch took.
    """

    node: str
    op: str
    provider: str
    microseconds: int


def read_profile(trace: Path) -> list[ProfileRecord]:
    """Read the nodes' times from a trace that ONNX Runtime wrote.

    Args:
        trace: a file in Chrome's trace format.

    Returns:
        A record per executed node, in order of execution. The nodes in a body of a Scan, Loop or
        If are listed besides it, and their time is part of its time.
    """
    events = json.loads(trace.read_text(encoding="utf-8"))
    return [
        ProfileRecord(
            emitted_name(event["name"].removesuffix(_NODE_SUFFIX)),
            event["args"].get("op_name", ""),
            event["args"].get("provider", ""),
            int(event["dur"]),
        )
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith(_NODE_SUFFIX)
    ]
