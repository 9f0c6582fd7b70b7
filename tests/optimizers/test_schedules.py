"""Schedules follow their formulas at the first, inner, last and later steps."""

from __future__ import annotations

import math

import pytest

from seqonnx.optimizers import schedules


def half_cosine(part):
    return (1 + math.cos(math.pi * part)) / 2


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (
            schedules.ExponentialDecay(0.1, 10, 0.5),
            {0: 0.1, 5: 0.1 * 0.5**0.5, 10: 0.05, 30: 0.0125},
        ),
        (
            schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True),
            {0: 0.1, 9: 0.1, 10: 0.05, 19: 0.05, 20: 0.025},
        ),
        (
            schedules.PiecewiseConstantDecay([3, 9], [0.3, 0.2, 0.1]),
            {0: 0.3, 3: 0.3, 4: 0.2, 9: 0.2, 10: 0.1},
        ),
        (
            schedules.PolynomialDecay(0.5, 10, 0.1, power=2.0),
            {0: 0.5, 5: 0.4 * 0.25 + 0.1, 10: 0.1, 99: 0.1},
        ),
        (
            schedules.PolynomialDecay(0.5, 10, 0.1, cycle=True),
            {
                0: 0.5,
                10: 0.1,
                15: 0.4 * (1 - 15 / 20) + 0.1,
                20: 0.1,
                25: 0.4 * (1 - 25 / 30) + 0.1,
            },
        ),
        (schedules.InverseTimeDecay(0.1, 10, 0.5), {0: 0.1, 10: 0.1 / 1.5, 15: 0.1 / 1.75}),
        (
            schedules.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
            {9: 0.1, 10: 0.1 / 1.5, 19: 0.1 / 1.5},
        ),
        (
            schedules.CosineDecay(0.1, 10, alpha=0.2),
            {0: 0.1, 3: 0.1 * (0.8 * half_cosine(0.3) + 0.2), 10: 0.02, 50: 0.02},
        ),
        (
            schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=4),
            {0: 0.1, 1: 0.2, 4: 0.5, 9: 0.25, 14: 0.0, 20: 0.0},
        ),
        (
            schedules.CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.5, alpha=0.2),
            {
                0: 0.1,
                5: 0.1 * (0.8 * 0.5 + 0.2),
                10: 0.1 * (0.8 * 0.5 + 0.2),
                20: 0.1 * (0.8 * 0.5 * 0.5 + 0.2),
                30: 0.1 * (0.8 * 0.25 + 0.2),
            },
        ),
        (
            schedules.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5),
            {0: 0.1, 9: 0.1 * half_cosine(0.9), 10: 0.05, 1_000_005: 0.0},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rate_at_steps(schedule, expected):
    assert {step: schedule(step) for step in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.ExponentialDecay(0.1, 10, 0.5, True, "x"),
        schedules.PiecewiseConstantDecay([3, 9], [0.3, 0.2, 0.1]),
        schedules.PolynomialDecay(0.5, 10, 0.1, 2.0, True),
        schedules.InverseTimeDecay(0.1, 10, 0.5, True),
        schedules.CosineDecay(0.1, 10, 0.2, "c", 0.5, 4),
        schedules.CosineDecayRestarts(0.1, 10, 1.5, 0.5, 0.2),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_config_round_trip(schedule):
    twin = schedules.get(schedules.serialize(schedule))
    assert type(twin) is type(schedule)
    assert vars(twin) == vars(schedule)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` must be > 0"),
        (lambda: schedules.CosineDecay(0.1, -1), "Received: decay_steps=-1"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), "Received: first_decay_steps=0"),
        (lambda: schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5), "Received: t_mul=0.5"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [1.0]), "1 less than the length"),
        (lambda: schedules.get({"class_name": "Foo"}), "Could not interpret.*ExponentialDecay"),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
