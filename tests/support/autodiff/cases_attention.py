"""Cases: attention and rotary embeddings."""

from __future__ import annotations

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import between, normal

HEADS = (2, 4, 3, 6), (2, 4, 5, 6), (2, 4, 5, 2)
GROUPED = (2, 4, 3, 6), (2, 2, 5, 6), (2, 2, 5, 2)
FLAT = (2, 3, 24), (2, 5, 12), (2, 5, 8)
PAST = (2, 4, 2, 6), (2, 4, 2, 2)
BATCH = (0, 1, 2, 4, 5)
ALLOWED = np.random.default_rng(3).uniform(size=(2, 1, 3, 5)) < 0.6
ALLOWED[1, 0, 1] = False


def attention(label, shapes=HEADS, mask=None, past=None, outputs=1, targets=None, **attributes):
    queries, keys, values = (normal(*shape, seed=i) for i, shape in enumerate(shapes))
    inputs = [queries, keys, values, mask]
    if past:
        inputs += [normal(*shape, seed=7) for shape in past]
    while inputs[-1] is None:
        inputs.pop()
    return Case(
        "Attention",
        tuple(inputs),
        attributes,
        outputs,
        label=label,
        batch=BATCH,
        targets=targets,
        onnxruntime=attributes.get("softmax_precision") is None,
        why="double precision inside a float32 graph differs from the float64 run",
    )


def rotated(x, cos, sin, places=None, num_heads=None, interleaved=0, rotary_embedding_dim=0):
    """The rotation as complex numbers."""
    shape = x.shape
    x = x.reshape(*shape[:2], num_heads, -1).swapaxes(1, 2) if x.ndim == 3 else x
    turned = rotary_embedding_dim or x.shape[-1]
    angle = (cos + 1j * sin if places is None else cos[places] + 1j * sin[places])[:, None]
    y, half = x.copy(), turned // 2
    first, second = (
        (slice(0, turned, 2), slice(1, turned, 2))
        if interleaved
        else (slice(0, half), slice(half, turned))
    )
    turn = (x[..., first] + 1j * x[..., second]) * angle
    y[..., first], y[..., second] = turn.real, turn.imag
    return y.swapaxes(1, 2).reshape(shape) if len(shape) == 3 else y


def rotary(label, shape, cache, places=None, **attributes):
    inputs = [normal(*shape), between(-1, 1, *cache), between(-1, 1, *cache, seed=1)]
    if places is not None:
        inputs.append(np.array(places))
    return Case(
        "RotaryEmbedding",
        tuple(inputs),
        attributes,
        label=label,
        dtype="float32",
        forward=lambda *arrays: rotated(*arrays, **attributes),
        why="the operator takes no float64",
        batch=(0, 3) if places is not None else (0, 1, 2),
    )


CASES = [
    attention("plain"),
    attention("scaled", scale=0.3, softcap=0.7),
    attention("grouped", GROUPED, is_causal=1),
    attention("flat", FLAT, q_num_heads=4, kv_num_heads=2),
    attention("flat-one", ((2, 3, 24), (2, 5, 6), (2, 5, 3)), q_num_heads=4, kv_num_heads=1),
    attention("bias", mask=normal(2, 4, 3, 5)),
    attention("bias-shared", mask=normal(3, 5), is_causal=1),
    attention("boolean", mask=ALLOWED),
    attention("boolean-causal", mask=ALLOWED, is_causal=1),
    attention("past", past=PAST, is_causal=1, outputs=3),
    *(
        attention(
            f"scores-{mode}",
            outputs=4,
            targets=(0, 3),
            qk_matmul_output_mode=mode,
            softcap=2.0 * (mode > 0),
        )
        for mode in range(4)
    ),
    attention("precise", softmax_precision=11),
    rotary("halves", (2, 4, 3, 6), (2, 3, 3)),
    rotary("interleaved", (2, 4, 3, 6), (2, 3, 3), interleaved=1),
    rotary("places", (2, 4, 3, 6), (9, 3), [[0, 4, 2], [8, 8, 1]]),
    rotary("partial", (2, 4, 3, 6), (2, 3, 2), rotary_embedding_dim=4),
    rotary("partial-flat", (2, 3, 24), (2, 3, 2), rotary_embedding_dim=4, num_heads=4),
    rotary("flat", (2, 3, 24), (7, 3), [[0, 4, 2], [5, 5, 1]], num_heads=4, interleaved=1),
]
