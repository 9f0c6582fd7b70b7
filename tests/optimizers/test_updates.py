"""Ten steps of every optimizer follow the published formula, written out here in float64.

Sources: SGD with momentum, Sutskever et al. 2013; Adam and Adamax, Kingma & Ba 2015; AMSGrad,
Reddi et al. 2018; AdamW, Loshchilov & Hutter 2019; RMSprop, Hinton 2012 and Graves 2013; Nadam,
Dozat 2016; Adagrad, Duchi et al. 2011; Adadelta, Zeiler 2012; Lion, Chen et al. 2023; FTRL,
McMahan et al. 2013.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import optimizers
from seqonnx.graph import Emitter

LR = 0.05


def sgd(w, g, s, t):
    return w - LR * g


def momentum(w, g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - LR * g
    return w + s["v"]


def nesterov(w, g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - LR * g
    return w + 0.9 * s["v"] - LR * g


def adam(w, g, s, t, worst=False):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["hat"] = np.maximum(s.get("hat", 0), s["v"])
    step = LR * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - step * s["m"] / (np.sqrt(s["hat"] if worst else s["v"]) + 1e-7)


def amsgrad(w, g, s, t):
    return adam(w, g, s, t, worst=True)


def adamw(w, g, s, t):
    return adam(w - LR * 0.1 * w, g, s, t)


def rmsprop(w, g, s, t):
    s["v"] = 0.9 * s.get("v", 0) + 0.1 * g**2
    return w - LR * g / np.sqrt(s["v"] + 1e-7)


def centered_rmsprop(w, g, s, t):
    s["v"] = 0.8 * s.get("v", 0) + 0.2 * g**2
    s["a"] = 0.8 * s.get("a", 0) + 0.2 * g
    s["m"] = 0.5 * s.get("m", 0) + LR * g / np.sqrt(s["v"] - s["a"] ** 2 + 1e-7)
    return w - s["m"]


def nadam(w, g, s, t):
    now = 0.9 * (1 - 0.5 * 0.96**t)
    ahead = 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
    s["u"] = s.get("u", 1.0) * now
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    m = ahead * s["m"] / (1 - s["u"] * ahead) + (1 - now) * g / (1 - s["u"])
    return w - LR * m / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def adagrad(w, g, s, t):
    s["a"] = s.get("a", 0.1) + g**2
    return w - LR * g / np.sqrt(s["a"] + 1e-7)


def adadelta(w, g, s, t):
    s["g"] = 0.95 * s.get("g", 0) + 0.05 * g**2
    d = g * np.sqrt(s.get("d", 0) + 1e-7) / np.sqrt(s["g"] + 1e-7)
    s["d"] = 0.95 * s.get("d", 0) + 0.05 * d**2
    return w - LR * d


def adamax(w, g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["u"] = np.maximum(0.999 * s.get("u", 0), np.abs(g))
    return w - LR / (1 - 0.9**t) * s["m"] / (s["u"] + 1e-7)


def lion(w, g, s, t):
    m = s.get("m", 0)
    s["m"] = 0.99 * m + 0.01 * g
    return w - LR * np.sign(0.9 * m + 0.1 * g)


def ftrl(w, g, s, t, power=-0.5, l1=0.0, l2=0.0, shrink=0.0, beta=0.0):
    n = s.get("n", 0.1)
    s["n"] = n + g**2
    sigma = (s["n"] ** -power - n**-power) / LR
    s["z"] = s.get("z", 0) + g + 2 * shrink * w - sigma * w
    pull = np.clip(s["z"], -l1, l1) - s["z"]
    return pull / ((beta + s["n"] ** -power) / LR + 2 * l2)


def ftrl_with_everything(w, g, s, t):
    return ftrl(w, g, s, t, power=-0.4, l1=0.5, l2=0.3, shrink=0.2, beta=0.1)


CASES = {
    "sgd": (optimizers.SGD, {}, sgd),
    "momentum": (optimizers.SGD, {"momentum": 0.9}, momentum),
    "nesterov": (optimizers.SGD, {"momentum": 0.9, "nesterov": True}, nesterov),
    "adam": (optimizers.Adam, {}, adam),
    "amsgrad": (optimizers.Adam, {"amsgrad": True}, amsgrad),
    "adamw": (optimizers.AdamW, {"weight_decay": 0.1}, adamw),
    "rmsprop": (optimizers.RMSprop, {}, rmsprop),
    "centered rmsprop": (
        optimizers.RMSprop,
        {"rho": 0.8, "momentum": 0.5, "centered": True},
        centered_rmsprop,
    ),
    "nadam": (optimizers.Nadam, {}, nadam),
    "adagrad": (optimizers.Adagrad, {}, adagrad),
    "adadelta": (optimizers.Adadelta, {}, adadelta),
    "adamax": (optimizers.Adamax, {}, adamax),
    "lion": (optimizers.Lion, {}, lion),
    "ftrl": (optimizers.Ftrl, {}, ftrl),
    "ftrl with everything": (
        optimizers.Ftrl,
        {
            "learning_rate_power": -0.4,
            "l1_regularization_strength": 0.5,
            "l2_regularization_strength": 0.3,
            "l2_shrinkage_regularization_strength": 0.2,
            "beta": 0.1,
        },
        ftrl_with_everything,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_ten_steps_follow_the_formula(name, problem):
    cls, arguments, formula = CASES[name]
    actual = problem.run(cls(LR, **arguments))
    for ours, theirs in zip(actual, problem.follow(formula), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_double_precision_follows_the_formula_closely(name, problem):
    """The emission takes the type of its inputs: no float32 constant is left in it."""
    cls, arguments, formula = CASES[name]
    optimizer = cls(LR, **arguments)
    params = [problem.start[1]]
    state, expected = {}, problem.start[1]
    for t in range(1, 4):
        pull = problem.curvature[1] * (expected - problem.target[1])
        params = optimizer.apply([pull], params)
        expected = formula(expected, pull, state, t)
    assert params[0].dtype == np.float64
    np.testing.assert_allclose(params[0], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("step", [1, 2, 10, 1000])
def test_product_of_nadam_needs_no_state(step):
    """One step from fresh slots at any step number uses the product of all momenta so far."""
    optimizer = optimizers.Nadam(LR)
    optimizer.iterations = step - 1
    w, g = np.array([1.0]), np.array([2.0])
    product = np.prod(0.9 * (1 - 0.5 * 0.96 ** np.arange(1, step)))
    expected = nadam(w, g, {"u": product}, step)
    np.testing.assert_allclose(optimizer.apply([g], [w])[0], expected, rtol=1e-11)


def torch_optimizers(torch):
    o = torch.optim
    return {
        "sgd": lambda p: o.SGD(p, LR),
        "momentum": lambda p: o.SGD(p, LR, momentum=0.9),
        "nesterov": lambda p: o.SGD(p, LR, momentum=0.9, nesterov=True),
        "adam": lambda p: o.Adam(p, LR, eps=1e-7),
        "adamw": lambda p: o.AdamW(p, LR, eps=1e-7, weight_decay=0.1),
        "rmsprop": lambda p: o.RMSprop(p, LR, alpha=0.9, eps=1e-7),
        "nadam": lambda p: o.NAdam(p, LR, eps=1e-7, momentum_decay=1.0),
        "adagrad": lambda p: o.Adagrad(p, LR, initial_accumulator_value=0.1, eps=1e-8),
        "adadelta": lambda p: o.Adadelta(p, LR, rho=0.95, eps=1e-7),
        "adamax": lambda p: o.Adamax(p, LR, eps=1e-7),
    }


def test_ten_steps_follow_torch(problem):
    """Where the formulas coincide but for the place of epsilon, which is tiny here."""
    torch = pytest.importorskip("torch")
    for name, make in torch_optimizers(torch).items():
        params = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in problem.start]
        peer = make(params)
        for _ in range(10):
            grads = problem.gradients([p.detach().numpy() for p in params])
            for param, grad in zip(params, grads, strict=True):
                param.grad = torch.tensor(grad)
            peer.step()
        cls, arguments, _ = CASES[name]
        for ours, theirs in zip(problem.run(cls(LR, **arguments)), params, strict=True):
            np.testing.assert_allclose(
                ours, theirs.detach().numpy(), rtol=2e-5, atol=2e-5, err_msg=name
            )


def test_slots_hold_the_true_moments():
    optimizer = optimizers.Adam()
    op = Emitter()
    g = op.input("g", "float32", (2,))
    slots = [{"momentum": g, "velocity": g}]
    scalar = op.input("s", "float32", ())
    _, new = optimizer._emit(op, [g], [g], slots, scalar, scalar)
    assert list(new[0]) == ["momentum", "velocity"] == list(optimizer.slots((2,), "float32"))


@pytest.mark.parametrize(
    ("optimizer", "per_variable"),
    [
        (optimizers.SGD(), 2),
        (optimizers.SGD(momentum=0.9), 4),
        (optimizers.Adam(), 12),
        (optimizers.RMSprop(), 9),
        (optimizers.Nadam(), 14),
    ],
)
def test_update_has_few_nodes(optimizer, per_variable):
    """Of a variable that is too large to be updated together with others."""

    def nodes(count):
        op = Emitter()
        values = [op.input(f"w{i}", "float32", (100, 100)) for i in range(count)]
        names = optimizer.slots((100, 100), "float32")
        slots = [{name: op.input(name, "float32", (100, 100)) for name in names} for _ in values]
        lr, step = op.input("lr", "float32", ()), op.input("step", "int64", ())
        optimizer._emit(op, values, values, slots, lr, step)
        return sum(1 for _ in op.graph)

    assert nodes(3) - nodes(2) == per_variable


def test_step_may_be_an_integer():
    op = Emitter()
    values = [op.input(name, "float32", (2,)) for name in ("w", "g", "m", "v")]
    lr, step = op.input("lr", "float32", ()), op.input("step", "int64", ())
    slots = [{"momentum": values[2], "velocity": values[3]}]
    new, _ = optimizers.Adam()._emit(op, [values[0]], [values[1]], slots, lr, step)
    assert new[0].dtype == values[0].dtype
