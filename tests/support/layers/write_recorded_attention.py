"""Record attention layers of real Keras: what comes out for several inputs, masks and arguments.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_attention.py

Needs keras and torch. Recorded with Keras 3.15.1.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

Q, V, K = (3, 4), (5, 4), (5, 4)
RNG = np.random.default_rng(7)
ROWS = np.array([[True, True, False], [True, False, True]])
COLUMNS = np.array([[True, True, False, True, False], [False, False, True, True, True]])
PAIRS = RNG.random((2, 3, 5)) < 0.6
PAIRS[0, 1] = False
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
SCORES = {"return_attention_scores": True}

# A layer, the shapes of its inputs, and further arguments of its call.
LAYERS = {
    "dot": (layers.Attention(), [Q, V], {}),
    "dot_scaled": (layers.Attention(use_scale=True), [Q, V, K], SCORES),
    "dot_causal": (layers.Attention(), [Q, V], {"use_causal_mask": True}),
    "dot_masked": (layers.Attention(), [Q, V], {"mask": [ROWS, COLUMNS]}),
    "dot_all": (
        layers.Attention(),
        [Q, V],
        {"mask": [None, COLUMNS], "use_causal_mask": True, **SCORES},
    ),
    "concat": (layers.Attention(score_mode="concat"), [Q, V], SCORES),
    "concat_scaled": (layers.Attention(True, "concat"), [Q, V], {"mask": [ROWS, None]}),
    "additive": (layers.AdditiveAttention(), [Q, V, K], SCORES),
    "additive_plain": (
        layers.AdditiveAttention(use_scale=False),
        [Q, V],
        {"mask": [ROWS, COLUMNS]},
    ),
    "heads": (layers.MultiHeadAttention(**HEADS), [Q, V], {}),
    "heads_scores": (layers.MultiHeadAttention(**HEADS), [Q, V], SCORES),
    "heads_causal": (layers.MultiHeadAttention(**HEADS), [Q, V], {"use_causal_mask": True}),
    "heads_masked": (layers.MultiHeadAttention(**HEADS), [Q, V], {"attention_mask": PAIRS}),
    "heads_masked_scores": (
        layers.MultiHeadAttention(**HEADS),
        [Q, V],
        {"attention_mask": PAIRS, **SCORES},
    ),
    "heads_values_masked": (
        layers.MultiHeadAttention(**HEADS),
        [Q, V, K],
        {"value_mask": COLUMNS, "key_mask": COLUMNS[::-1].copy(), "use_causal_mask": True},
    ),
    "heads_window": (layers.MultiHeadAttention(**HEADS, sliding_window=2), [V, V], {}),
    "heads_causal_window": (
        layers.MultiHeadAttention(**HEADS, sliding_window=2),
        [V, V],
        {"use_causal_mask": True},
    ),
    "heads_shaped": (
        layers.MultiHeadAttention(2, 3, 5, use_bias=False, output_shape=(2, 3), use_gate=True),
        [Q, V],
        {},
    ),
    "heads_one_axis": (
        layers.MultiHeadAttention(2, 3, attention_axes=2),
        [(3, 2, 4), (3, 5, 4)],
        SCORES,
    ),
    "heads_two_axes": (layers.MultiHeadAttention(2, 3), [(3, 2, 4), (2, 3, 4)], SCORES),
    "groups": (layers.GroupQueryAttention(**GROUPS), [Q, V], {}),
    "groups_causal": (layers.GroupQueryAttention(**GROUPS), [Q, V], {"use_causal_mask": True}),
    "groups_all": (
        layers.GroupQueryAttention(**GROUPS, use_gate=True, sliding_window=3),
        [Q, V, K],
        {"attention_mask": PAIRS, **SCORES},
    ),
}


def main() -> None:
    """Write both files."""
    arrays, configs = {}, {}
    for name, (layer, shapes, named) in LAYERS.items():
        inputs = [RNG.normal(0.0, 1.5, (2, *shape)).astype("float32") for shape in shapes]
        entry = keras.saving.serialize_keras_object(layer)
        listed = type(layer) in {layers.Attention, layers.AdditiveAttention}
        given = (inputs,) if listed else inputs
        layer(*given, **named)
        weights = [RNG.normal(0.0, 0.7, w.shape).astype("float32") for w in layer.weights]
        layer.set_weights(weights)
        result = layer(*given, **named)
        outputs = result if isinstance(result, tuple) else [result]
        arrays |= {f"{name}/x{i}": x for i, x in enumerate(inputs)}
        arrays |= {f"{name}/y{i}": keras.ops.convert_to_numpy(y) for i, y in enumerate(outputs)}
        arrays |= {f"{name}/w{i}": w for i, w in enumerate(weights)}
        plain = json.loads(json.dumps(named, default=lambda array: array.tolist()))
        paths = [w.path.partition("/")[2] for w in layer.weights]
        configs[name] = {"layer": entry, "weights": paths, "named": plain, "listed": listed}
    folder = Path(__file__).parent
    np.savez_compressed(folder / "recorded_attention.npz", **arrays)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in configs.items())
    (folder / "recorded_attention.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
