"""Session options: what they are set to, and the measurements behind it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from seqonnx.runtime.install import load_onnxruntime

_SEVERITY_ERROR = 3


def session_options(*, training: bool = False, profile: Path | None = None) -> Any:
    """Make `onnxruntime.SessionOptions`.

    Threads, memory arena, memory patterns and spinning stay at their defaults: each was measured
    to be the fastest or within the noise for training steps, and parallel execution 2.3 times
    slower.

    Args:
        training: whether the graph's weights are inputs that change from run to run.
        profile: where the profile is to be written, None for none.
    """
    runtime = load_onnxruntime()
    levels = runtime.GraphOptimizationLevel
    options = runtime.SessionOptions()
    options.log_severity_level = _SEVERITY_ERROR
    # ORT_ENABLE_ALL adds blocked layouts, which pay where constant weights are packed once. A
    # training graph gets its weights as inputs, so it only pays for the reorders: 1-9 % slower.
    options.graph_optimization_level = (
        levels.ORT_ENABLE_EXTENDED if training else levels.ORT_ENABLE_ALL
    )
    options.use_per_session_threads = not share_thread_pool()
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return options


@functools.cache
def share_thread_pool() -> bool:
    """Create the thread pool that all sessions of the process share, once.

    The idle threads of a session spin, so sessions with a pool each steal the cores from one
    another: two sessions that take turns were measured 1.5 to 2 times slower than with one pool.

    Returns:
        Whether there is a shared pool; if not, each session has its own.
    """
    runtime = load_onnxruntime()
    try:
        # 0: as many threads as cores. Nodes run one after the other, so no pool between them.
        runtime.set_global_thread_pool_sizes(0, 1)
    except AttributeError:
        return False
    except Exception as error:
        # The program made the pool before us: that one is shared too.
        return "already been created" in str(error)
    return True
