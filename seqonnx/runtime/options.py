"""Session options: what they are set to, and the measurements behind it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from seqonnx.runtime.forking import note_session, require_usable_cuda
from seqonnx.runtime.install import load_onnxruntime

_SEVERITY_ERROR = 3


def session_options(
    *,
    training: bool = False,
    constant_weights: bool = False,
    yielding: bool = False,
    large: bool = False,
    profile: Path | None = None,
) -> Any:
    """Make `onnxruntime.SessionOptions`.

    Memory arena and the number of threads stay at their defaults: each was measured to be the
    fastest or within the noise for training steps, and parallel execution 2.3 times slower.

    So does the order of execution. It goes from the last layer's update to the first's, computing
    before each what it needs: updates come as soon as their gradients are there, and activations
    die on the way. Priority-based order computes what is ready, the masks of all activations in
    the forward pass among them, and updates last: 1.7 times the memory for 24 Dense layers.
    Memory-efficient order is not in the published builds.

    Args:
        training: whether the graph's weights are inputs that change from run to run.
        constant_weights: whether much of a training graph is frozen, its weights constants.
        yielding: whether another session's run may follow at once.
        large: whether what is computed inside takes much memory.
        profile: where the profile is to be written, None for none.
    """
    runtime = load_onnxruntime()
    levels = runtime.GraphOptimizationLevel
    options = runtime.SessionOptions()
    options.log_severity_level = _SEVERITY_ERROR
    if training:
        # ORT_ENABLE_ALL adds blocked layouts, which pay where constant weights are packed once.
        # Weights that are inputs only pay for the reorders: 1-9 % slower.
        blocked = constant_weights
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if blocked else levels.ORT_ENABLE_EXTENDED
        )
        # Pairs of QuantizeLinear and DequantizeLinear would be moved and fused into kernels of
        # integers, whose products are not the rounded ones that the gradient is of.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    else:
        options.graph_optimization_level = levels.ORT_ENABLE_ALL
    # On x86 activations of int8 would become uint8, which fails to load where a node that ONNX
    # Runtime has moved names its dtype (operator set 21 and above).
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    if training:
        # ONNX Runtime makes one operator of DequantizeLinear and MatMul, which rounds what comes in
        # to int8 as well; a step must compute what its gradient is of.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    if yielding:
        # The threads of a session that has just run spin, and take the cores from the next one: two
        # sessions in turns were measured 1.5 to 1.9 times slower than one. This stops them at the
        # end of a run. It costs a wake-up, about 0.03 ms a run.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if large:
        # With memory patterns, the second run lays all values out in a new block beside those of
        # the first: 498 in place of 280 MB for 24 Dense layers, 952 in place of 488 MB for 24
        # Conv2D. They save 4 % of a step of 0.25 ms, and nothing of one of 25 ms.
        options.enable_mem_pattern = False
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return options


@contextlib.contextmanager
def stopping_after(seconds: float) -> Iterator[Any]:
    """Make `onnxruntime.RunOptions` that stop a run once the time is over.

    Args:
        seconds: how long a run may take.
    """
    run_options = load_onnxruntime().RunOptions()
    timer = threading.Timer(seconds, setattr, (run_options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield run_options
    finally:
        timer.cancel()


def open_session(
    model: bytes | Path, options: Any, providers: list[tuple[str, dict[str, str]]]
) -> Any:
    """Make an `onnxruntime.InferenceSession` that never falls back to another provider.

    Sessions have a thread pool each, as is ONNX Runtime's default. One pool for the process would
    be a setting of the whole process: ONNX Runtime then refuses every session, also those of
    other code, that is not made for it. Where other code has made that choice, it is followed.

    Args:
        model: the model file's bytes, or the path of a model file.
        options: from `session_options`.
        providers: names and options, in order of preference.
    """
    on_cuda = any(name.startswith("CUDA") for name, _ in providers)
    if on_cuda:
        require_usable_cuda()
    source = model if isinstance(model, bytes) else str(model)
    open_ = partial(load_onnxruntime().InferenceSession, source, options, providers=providers)
    try:
        session = open_(enable_fallback=0)
    except Exception as error:
        if "use_per_session_threads must be false" not in str(error):
            raise
        options.use_per_session_threads = False
        session = open_(enable_fallback=0)
    note_session(session, on_cuda=on_cuda)
    return session
