"""Cases: RNN, GRU and LSTM."""

from __future__ import annotations

import numpy as np

from support.autodiff.definitions_recurrent import GATES, definition
from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import normal

TIMES, BATCH, INPUT, HIDDEN = 4, 3, 2, 3
WHY = "the reference evaluator has no sequence lengths, clips, activations and reversed GRUs"


def recurrent(
    kind, label, *, lengths=None, bias=True, initial=True, peepholes=False, numbers=None, **options
):
    """A case of one operator."""
    d, gates = 2 if options.get("direction") == "bidirectional" else 1, GATES[kind]
    x = normal(TIMES, BATCH, INPUT)
    states = [normal(d, BATCH, HIDDEN, seed=seed) * 0.5 for seed in (1, 2)]
    if options.get("layout"):
        x, states = x.swapaxes(0, 1).copy(), [s.swapaxes(0, 1).copy() for s in states]
    inputs = [
        x,
        normal(d, gates * HIDDEN, INPUT),
        normal(d, gates * HIDDEN, HIDDEN, seed=1) * 0.7,
        normal(d, 2 * gates * HIDDEN) * 0.5 if bias else None,
        None if lengths is None else np.array(lengths, np.int32),
        states[0] if initial else None,
    ]
    if kind == "LSTM":
        inputs += [states[1] if initial else None, None]
        inputs[7] = normal(d, 3 * HIDDEN, seed=5) if peepholes else None
    while inputs[-1] is None:
        inputs.pop()
    attributes = {"hidden_size": HIDDEN, **options}
    if numbers:
        names = options["activations"]
        attributes["activation_alpha"] = [numbers[n][0] for n in names if n in numbers]
        both = {"Affine", "ScaledTanh", "HardSigmoid"}
        if both & set(names):
            attributes["activation_beta"] = [numbers[n][1] for n in names if n in both]
    return Case(
        kind,
        tuple(inputs),
        attributes,
        3 if kind == "LSTM" else 2,
        label=label,
        batch=(),
        forward=definition(kind, numbers, **options),
        onnxruntime=not options.get("layout"),
        why=WHY,
    )


CASES = [
    recurrent("RNN", "plain", bias=False, initial=False),
    recurrent("RNN", "reverse", direction="reverse", lengths=[4, 1, 3]),
    recurrent(
        "RNN",
        "both",
        direction="bidirectional",
        activations=["Affine", "Affine"],
        numbers={"Affine": (0.6, -0.1)},
    ),
    recurrent("RNN", "clip", clip=0.8, activations=["Affine"], numbers={"Affine": (0.7, 0.2)}),
    recurrent("GRU", "plain", bias=False, initial=False),
    recurrent("GRU", "biased"),
    recurrent("GRU", "reset-after", linear_before_reset=1),
    recurrent("GRU", "both", direction="bidirectional", lengths=[2, 4, 3], layout=1),
    recurrent(
        "GRU",
        "reset-after-reverse",
        direction="reverse",
        linear_before_reset=1,
        lengths=[2, 4, 3],
        clip=0.9,
        activations=["HardSigmoid", "ScaledTanh"],
        numbers={"HardSigmoid": (0.3, 0.4), "ScaledTanh": (1.2, 0.8)},
    ),
    recurrent("LSTM", "plain", bias=False, initial=False),
    recurrent("LSTM", "biased"),
    recurrent("LSTM", "peepholes", peepholes=True),
    recurrent("LSTM", "coupled", peepholes=True, input_forget=1),
    recurrent("LSTM", "layout", layout=1, direction="bidirectional"),
    recurrent(
        "LSTM", "both", direction="bidirectional", lengths=[4, 2, 1], peepholes=True, clip=0.7
    ),
    recurrent(
        "LSTM",
        "functions",
        activations=["Sigmoid", "Elu", "Softsign"],
        numbers={"Elu": (0.6, 0.0)},
    ),
    recurrent("LSTM", "reverse", direction="reverse", activations=["Sigmoid", "Softplus", "Tanh"]),
    recurrent("RNN", "empty", lengths=[2, 0, 4]),
    recurrent("GRU", "empty", direction="bidirectional", lengths=[0, 4, 1]),
    recurrent("GRU", "empty-reset-after", linear_before_reset=1, lengths=[0, 3, 0]),
    recurrent(
        "GRU", "empty-reverse", direction="reverse", linear_before_reset=1, lengths=[0, 0, 1]
    ),
    recurrent("LSTM", "empty", direction="bidirectional", lengths=[1, 4, 0], peepholes=True),
    recurrent("LSTM", "empty-layout", layout=1, lengths=[0, 2, 4]),
]
