"""A start: a new process takes its first step, and then some more to show its memory."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from typing import Any

from bench_pool import Client, Framework, Limits

KEEPING = "seqonnx"
"""The framework that keeps optimised graphs for the next process."""


def start_cold(
    framework: Framework, limits: Limits, contestant: str, workload: str, steps: int
) -> dict[str, Any]:
    """Start a contestant in a new process, with nothing in seqonnx's cache; then once more.

    Args:
        framework: what it belongs to.
        limits: threads, device and patience.
        contestant: its name.
        workload: the name of the workload.
        steps: how many more steps the memory is read after.

    Returns:
        Facts, `cold_s`, `peak_mib` and for seqonnx `warm_s` among them, the seconds of a start
        that finds what the first one kept; nothing where it failed.
    """
    with tempfile.TemporaryDirectory() as cache:
        kept = {**framework.environment, "SEQONNX_CACHE": cache}
        apart = dataclasses.replace(framework, environment=kept)
        facts = _start(apart, limits, contestant, workload, steps)
        if contestant == KEEPING and len(facts) > 0:
            again = _start(apart, limits, contestant, workload, steps)
            facts["warm_s"] = again.get("cold_s")
        return facts


def _start(
    framework: Framework, limits: Limits, contestant: str, workload: str, steps: int
) -> dict[str, Any]:
    """Take the first step in a new process, and read its memory after some more."""
    with Client(framework, limits) as client:
        hello = client.hello()
        prepared = client.ask("prepare", contestant=contestant, workload=workload)
        first = client.ask("first", contestant=contestant)
        seconds = time.perf_counter() - client.started
        more = client.ask("run", contestant=contestant, steps=steps)
        memory = client.ask("memory")
    if any("missing" in answer for answer in (hello, prepared, first, more, memory)):
        return {}
    return {"cold_s": seconds, "import_s": hello["import_s"], **prepared, **first, **memory}
