"""Forms of gradients: records in one tuple for each gradient, and every one of them is right.

Convolutions and means are linear in each input, so each form must hold the identity of an adjoint:
<gradient, d> is the loss of the convolution (or mean) of d. The gradient of a maximum is
compared with central differences, which are exact where no two elements tie.
"""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import seqonnx.autodiff as autodiff
from seqonnx.autodiff.idioms.window import window_of
from seqonnx.autodiff.lowering.convolution import DifferentiatedConvolution
from seqonnx.autodiff.lowering.input_gradient import INPUT_FORMS
from seqonnx.autodiff.lowering.max_pool import MAX_POOL_FORMS, MaxPool
from seqonnx.autodiff.lowering.offers import combined, offered
from seqonnx.autodiff.lowering.shared_windows import SHARED_FORMS
from seqonnx.autodiff.lowering.spread import SPREAD_FORMS, Spread
from seqonnx.autodiff.lowering.weight_gradient import WEIGHT_FORMS
from seqonnx.autodiff.rule_emitter import Form, RuleEmitter
from seqonnx.autodiff.rules import FAMILIES
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_reference
from support.autodiff.gradient_inputs import distinct, normal

ROOM = Path(autodiff.__file__).parent
FORMS = {
    "INPUT_FORMS": INPUT_FORMS,
    "WEIGHT_FORMS": WEIGHT_FORMS,
    "SHARED_FORMS": SHARED_FORMS,
    "MAX_POOL_FORMS": MAX_POOL_FORMS,
    "SPREAD_FORMS": SPREAD_FORMS,
}
CONVOLUTIONS = {
    "flipped convolution": ((2, 3, 6, 5), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "transposed convolution": ((2, 3, 7, 6), (4, 3, 3, 3), {"strides": [2, 2]}),
    "shared windows": ((4, 12, 6, 5), (10, 12, 3, 3), {"pads": [1, 1, 1, 1]}),
    "a product for each image": ((2, 3, 5, 6), (5, 3, 1, 1), {"strides": [2, 2]}),
    "a product of all pixels": ((2, 8, 3, 3), (10, 8, 1, 1), {"strides": [2, 2]}),
    "pairs of places, map by map": ((2, 3, 5, 4), (3, 1, 3, 2), {"group": 3, "strides": [2, 1]}),
    "diagonals of products of rows": ((2, 3, 7, 26), (3, 1, 3, 2), {"group": 3, "strides": [2, 2]}),
    "places of the kernel in turn": ((2, 4, 6, 6), (4, 1, 3, 3), {"group": 4, "pads": [1] * 4}),
    "as a plane": ((2, 10, 9), (4, 10, 3), {"dilations": [2], "pads": [2, 2]}),
    "in chunks": ((8, 10, 40, 42), (2, 10, 3, 3), {}),
    "at once": ((2, 10, 7, 6), (3, 10, 3, 2), {"strides": [2, 1], "pads": [1, 0, 0, 1]}),
    "rows gathered": ((2, 4, 6, 7), (6, 2, 3, 2), {"group": 2, "strides": [2, 3]}),
    "flipped convolution in blocks": ((2, 8, 6, 5), (8, 8, 3, 3), {"pads": [1, 1, 1, 1]}),
    "zeros between": ((2, 3, 7, 8), (4, 3, 1, 1), {"strides": [2, 3]}),
    "maps as one image": ((2, 4, 7, 6), (4, 1, 3, 2), {"group": 4, "strides": [3, 2]}),
    "images as channels": ((4, 3, 8, 6), (5, 3, 3, 2), {"strides": [3, 2], "pads": [1, 0, 0, 1]}),
    "convolution with the gradient": ((2, 4, 4, 4, 4), (2, 2, 2, 2, 2), {"group": 2}),
}
SIDE_BY_SIDE = {"kernel_shape": [2, 3], "strides": [2, 3]}
OVERLAPPING = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 0]}
HALVING = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
POOLS = {
    "comparison": ("LeakyRelu", SIDE_BY_SIDE),
    "ranks": ("Abs", SIDE_BY_SIDE),
    "one axis after the other": ("LeakyRelu", OVERLAPPING),
    "indices": ("Abs", OVERLAPPING),
    "pools": ("LeakyRelu", SIDE_BY_SIDE),
    "halves": ("LeakyRelu", HALVING),
}
SPREADS = {
    "matrices made in the run": ((2, 3, None, 9), OVERLAPPING),
    "enlarged": ((2, 3, 6, 9), SIDE_BY_SIDE),
    "constant matrices": ((2, 3, 6, 9), OVERLAPPING),
}
OF_CONVOLUTION = [*INPUT_FORMS, *WEIGHT_FORMS, *SHARED_FORMS]


def convolution_at(name):
    """An emitter, the place of a form, and the arrays there."""
    x_shape, w_shape, attributes = CONVOLUTIONS[name]
    op = Emitter()
    x, w = op.input("x", "float64", x_shape), op.input("w", "float64", w_shape)
    y = op.Conv(x, w, **attributes)
    dy = op.input("dy", "float64", static_shape(y))
    window = window_of(y.producer(), w_shape[2:], x, y)
    place = DifferentiatedConvolution(x, w, dy, window, attributes.get("group", 1))
    shapes = {"x": x_shape, "w": w_shape, "dy": static_shape(y)}
    arrays = {name: normal(*shape) for name, shape in shapes.items()}
    op.output(y, "y")
    return op, RuleEmitter(op, [True, True], "cpu"), place, arrays


@pytest.mark.parametrize("form", OF_CONVOLUTION, ids=lambda form: form.name)
def test_a_form_of_a_convolution_is_the_adjoint_where_it_applies(form):
    op, emitter, place, arrays = convolution_at(form.name)
    assert form.applies(emitter, place)
    made = form.emit(emitter, place)
    gradients = made if isinstance(made, tuple) else (made,)
    names = [str(op.output(value, f"g{i}").name) for i, value in enumerate(gradients)]
    proto = to_proto(op.graph)
    sources = ["x", "w"] if form in SHARED_FORMS else ["x"] if form in INPUT_FORMS else ["w"]
    for source, gradient in zip(sources, run_reference(proto, names, arrays), strict=True):
        assert gradient.shape == arrays[source].shape
        direction = normal(*gradient.shape)
        (moved,) = run_reference(proto, ["y"], arrays | {source: direction})
        np.testing.assert_allclose(
            (gradient * direction).sum(), (moved * arrays["dy"]).sum(), rtol=1e-10, atol=1e-10
        )


@pytest.mark.parametrize("size", [(6, 6), (5, 7), (7, 5), (8, 6), (1, 2)])
@pytest.mark.parametrize("strides", [[2, 2], [1, 3], [4, 2]])
def test_zeros_lie_between_the_pixels_of_any_map(size, strides):
    op = Emitter()
    x, w = op.input("x", "float64", (2, 3, *size)), op.input("w", "float64", (4, 3, 1, 1))
    y = op.Conv(x, w, strides=strides)
    dy = op.input("dy", "float64", static_shape(y))
    place = DifferentiatedConvolution(x, w, dy, window_of(y.producer(), (1, 1), x, y), 1)
    emitter = RuleEmitter(op, [True, False], "cpu")
    forms = {form.name: form for form in INPUT_FORMS if form.applies(emitter, place)}
    for name in ("zeros between", "transposed convolution"):
        op.output(forms[name].emit(emitter, place), name)
    arrays = {"x": normal(2, 3, *size), "w": normal(4, 3, 1, 1), "dy": normal(*static_shape(y))}
    found, wanted = run_reference(to_proto(op.graph), [v.name for v in op.graph.outputs], arrays)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("size", [(6, 6), (5, 7), (8, 9)])
@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [
        ((3, 3), [2, 2], [0, 0, 1, 1]),
        ((3, 3), [2, 2], [1, 1, 1, 1]),
        ((3, 2), [2, 1], [2, 0, 0, 1]),
        ((2, 5), [2, 3], [0, 2, 0, 2]),
    ],
)
def test_zeros_lie_between_the_windows_of_a_channel(size, kernel, strides, pads):
    op = Emitter()
    x, w = op.input("x", "float64", (2, 3, *size)), op.input("w", "float64", (3, 1, *kernel))
    y = op.Conv(x, w, strides=strides, pads=pads, group=3)
    dy = op.input("dy", "float64", static_shape(y))
    place = DifferentiatedConvolution(x, w, dy, window_of(y.producer(), kernel, x, y), 3)
    emitter = RuleEmitter(op, [True, False], "cpu")
    forms = {form.name: form for form in INPUT_FORMS if form.applies(emitter, place)}
    for name in ("zeros between", "transposed convolution"):
        op.output(forms[name].emit(emitter, place), name)
    shapes = {"x": (2, 3, *size), "w": (3, 1, *kernel), "dy": static_shape(y)}
    arrays = {name: normal(*shape) for name, shape in shapes.items()}
    found, wanted = run_reference(to_proto(op.graph), [v.name for v in op.graph.outputs], arrays)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("form", MAX_POOL_FORMS, ids=lambda form: form.name)
def test_a_form_of_a_maximum_agrees_with_differences_where_it_applies(form):
    before, attributes = POOLS[form.name]
    op = Emitter()
    source = op.input("x", "float64", (2, 3, 6, 9))
    x = getattr(op, before)(source)
    y = op.MaxPool(x, **attributes)
    dy = op.input("dy", "float64", static_shape(y))
    window = window_of(y.producer(), tuple(attributes["kernel_shape"]), x, y)
    place, emitter = MaxPool(y.producer(), x, dy, window), RuleEmitter(op, [True], "cpu")
    assert form.applies(emitter, place)
    for value, name in ((form.emit(emitter, place), "g"), (y, "y")):
        op.output(value, name)
    proto = to_proto(op.graph)
    # Positive, so that the operator before the pool hands everything on as it is.
    array = distinct(2, 3, 6, 9)
    array -= array.min() - 1
    seed, direction, step = normal(*static_shape(y)), normal(2, 3, 6, 9), 1e-6
    (gradient,) = run_reference(proto, ["g"], {"x": array, "dy": seed})
    ends = [
        run_reference(proto, ["y"], {"x": array + sign * step * direction, "dy": seed})[0]
        for sign in (1, -1)
    ]
    derivative = ((ends[0] - ends[1]) * seed).sum() / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), derivative, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", SPREAD_FORMS, ids=lambda form: form.name)
def test_a_form_of_a_mean_is_the_adjoint_where_it_applies(form):
    shape, attributes = SPREADS[form.name]
    op = Emitter()
    x = op.input("x", "float64", shape)
    y = op.AveragePool(x, **attributes)
    dy = op.input("dy", "float64", static_shape(y))
    window = window_of(y.producer(), tuple(attributes["kernel_shape"]), x, y)
    place, emitter = Spread(y.producer(), dy, window, False), RuleEmitter(op, [True], "cpu")
    assert form.applies(emitter, place)
    for value, name in ((form.emit(emitter, place), "g"), (y, "y")):
        op.output(value, name)
    proto, direction = to_proto(op.graph), normal(2, 3, 6, 9)
    seed = normal(2, 3, 3, 3) if attributes is SIDE_BY_SIDE else normal(2, 3, 3, 4)
    gradient, moved = run_reference(proto, ["g", "y"], {"x": direction, "dy": seed})
    np.testing.assert_allclose(
        (gradient * direction).sum(), (moved * seed).sum(), rtol=1e-10, atol=1e-10
    )


def test_every_form_has_a_place_and_a_name_of_its_own():
    names = [form.name for forms in FORMS.values() for form in forms]
    assert sorted(names) == sorted([*CONVOLUTIONS, *POOLS, *SPREADS])


def tuples_of_forms(path):
    """Names of the tuples in a module, and the number of forms outside of them."""
    tree = ast.parse(path.read_text("utf-8"))
    stated = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    tuples = {str(ast.unparse(node.target)): node for node in stated}
    tuples = {name: node for name, node in tuples.items() if name.endswith("_FORMS")}

    def count(node):
        calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
        return sum(ast.unparse(call.func) == "Form" for call in calls)

    return set(tuples), count(tree) - sum(count(node) for node in tuples.values())


def test_a_form_stands_in_one_tuple_that_a_rule_reads():
    found = {path: tuples_of_forms(path) for path in ROOM.rglob("*.py")}
    outside = {path.name for path, (_, loose) in found.items() if loose > 0}
    assert outside == {"offers.py"}, "combinations of forms are made there, and nowhere else"
    homes = {name: path.parent.name for path, (names, _) in found.items() for name in names}
    assert homes == dict.fromkeys([*FORMS, "DEPTHWISE_FORMS"], "lowering")


def test_rules_holds_families_and_nothing_else():
    modules = {path.stem for path in (ROOM / "rules").glob("*.py")} - {"__init__"}
    assert modules == set(FAMILIES)


@pytest.mark.parametrize(
    ("below", "above"), [("idioms", "lowering"), ("idioms", "rules"), ("lowering", "rules")]
)
def test_rules_read_forms_and_forms_read_idioms(below, above):
    for path in (ROOM / below).glob("*.py"):
        assert f"autodiff.{above}" not in path.read_text("utf-8"), path.name


def marked(name, *, applies=True, preferred=True):
    return Form(name, lambda op, place: name, lambda *_: applies, lambda *_: preferred)


def test_forms_that_apply_are_offered_the_preferred_first():
    forms = [
        marked("slow", preferred=False),
        marked("wrong", applies=False),
        marked("fast"),
        marked("also fast"),
    ]
    names = [form.name for form in offered(None, forms, None)]
    assert names == ["fast", "also fast", "slow"]


def test_combinations_are_called_by_the_parts_that_have_a_choice():
    parts = [[marked("a"), marked("b")], [marked("only")], [marked("c"), marked("d")]]
    forms = combined(parts)
    assert [form.name for form in forms] == ["a c", "a d", "b c", "b d"]
    assert [form.emit(None, None) for form in forms] == list(product("ab", ["only"], "cd"))
