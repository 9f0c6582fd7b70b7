"""Pictures of models: every layer and connection is there, nothing overlaps, formats agree."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from seqonnx import Input, Model, Sequential
from seqonnx.layers import Add, BatchNormalization, Concatenate, Conv2D, Dense, Flatten, ReLU
from seqonnx.report.plot.graph import PlotGroup, PlotOptions, plot_graph
from seqonnx.report.plot.layout import ACROSS_GAP, Link, laid_out
from seqonnx.report.plot.picture import picture_of
from seqonnx.report.plot.shapes import DrawnBox, DrawnLine
from seqonnx.utils import model_to_dot, plot_model


def branched():
    a = Input((8, 8, 3), name="image")
    stem = Conv2D(4, 3, padding="same", activation="relu", name="stem")(a)
    side = BatchNormalization(name="norm", trainable=False)(stem)
    side = ReLU(name="relu")(side)
    total = Flatten(name="flat")(Add(name="skip")([stem, side]))
    return Model(a, [Dense(3, name="kind")(total), Dense(1, name="price")(total)], name="branched")


def nested():
    i, j = Input((8,), name="in1"), Input((4,), name="in2")
    encoder = Sequential([Dense(16, name="e1"), Dense(4, name="e2")], name="encoder")
    h, k = Input((4,), name="hin"), Input((4,), name="kin")
    s = Add(name="s")([h, k])
    inner = Model([h, k], [Dense(3, name="d1")(s), Dense(2, name="d2")(k)], name="inner")
    e = encoder(i)
    d1, d2 = inner([e, j])
    return Model([i, j], Dense(1, name="out")(Concatenate(name="z")([d1, d2, e])), name="outer")


NESTED_EDGES = {
    ("in1", "encoder/e1"),
    ("encoder/e1", "encoder/e2"),
    ("encoder/e2", "inner/hin"),
    ("in2", "inner/kin"),
    ("inner/hin", "inner/s"),
    ("inner/kin", "inner/s"),
    ("inner/s", "inner/d1"),
    ("inner/kin", "inner/d2"),
    ("inner/d1", "z"),
    ("inner/d2", "z"),
    ("encoder/e2", "z"),
    ("z", "out"),
}


def dot_edges(dot):
    return set(re.findall(r'"([^"]+)" -> "([^"]+)";', dot.to_string()))


def test_connections_lead_into_models_inside_and_out_of_them():
    model = nested()
    assert dot_edges(model_to_dot(model, expand_nested=True)) == NESTED_EDGES
    assert dot_edges(model_to_dot(model)) == {
        *(("in1", "encoder"), ("encoder", "inner"), ("in2", "inner"), ("inner", "z")),
        *(("encoder", "z"), ("z", "out")),
    }


def test_sequential_models_show_no_input_and_one_line():
    model = Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    text = model_to_dot(model).to_string()
    assert dot_edges(model_to_dot(model)) == {("a", "b")}
    assert "InputLayer" not in text


def test_layer_that_is_called_twice_stands_once():
    q, shared = Input((4,), name="q"), Dense(4, name="shared")
    model = Model(q, shared(ReLU(name="relu")(shared(q))))
    assert dot_edges(model_to_dot(model)) == {
        *(("q", "shared"), ("shared", "relu"), ("relu", "shared")),
    }
    again = Model(q, shared(shared(q)))
    assert ("shared", "shared") in dot_edges(model_to_dot(again))
    for each in (model, again):
        picture_of(plot_graph(each, PlotOptions()), "TB", "ortho")


def facts_of(model, **options):
    graph = plot_graph(model, PlotOptions(**options))
    return {part.key: (part.facts, part.trained) for part in graph.parts}


def test_facts_are_those_of_the_layers():
    told = facts_of(branched(), shapes=True, dtype=True, activations=True, trainable=True)
    assert told["image"] == (
        (("Output shape", "(None, 8, 8, 3)"), ("Output dtype", "float32")),
        None,
    )
    assert told["stem"] == (
        (
            ("Activation", "relu"),
            ("Input shape", "(None, 8, 8, 3)"),
            ("Output shape", "(None, 8, 8, 4)"),
            ("Output dtype", "float32"),
        ),
        True,
    )
    assert told["norm"][1] is False
    assert told["skip"][0][0] == ("Input shape", "[(None, 8, 8, 4), (None, 8, 8, 4)]")
    assert facts_of(branched())["stem"] == ((), None)


def test_titles_are_names_or_classes():
    shown, hidden = (
        {part.title for part in plot_graph(branched(), PlotOptions(names=names)).parts}
        for names in (True, False)
    )
    assert {"stem", "norm"} <= shown
    assert {"Conv2D", "BatchNormalization"} <= hidden
    assert "stem" not in hidden


def frames(shapes):
    """Outlines of layers and frames, each (left, top, right, bottom)."""
    boxes = [s for s in shapes if isinstance(s, DrawnBox) and (s.fill is None or s.dashed)]
    return [(b.x, b.y, b.x + b.width, b.y + b.height) for b in boxes]


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("splines", ["ortho", "line", "curved"])
@pytest.mark.parametrize("make", [branched, nested])
def test_boxes_stand_apart_or_inside_each_other_within_the_picture(make, rankdir, splines):
    options = PlotOptions(shapes=True, expand_nested=True, trainable=True)
    picture = picture_of(plot_graph(make(), options), rankdir, splines)
    outlines = frames(picture.shapes)
    assert len(outlines) == (8 if make is branched else 13)
    for k, (left, top, right, bottom) in enumerate(outlines):
        assert 0 <= left < right <= picture.width
        assert 0 <= top < bottom <= picture.height
        for other in outlines[k + 1 :]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            inside = left < other[0] and other[2] < right and top < other[1] and other[3] < bottom
            assert apart or inside, (outlines[k], other)
    for line in (s for s in picture.shapes if isinstance(s, DrawnLine)):
        assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in line.points)
        if splines == "ortho":
            for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
                assert abs(x0 - x1) < 1e-6 or abs(y0 - y1) < 1e-6


@pytest.mark.parametrize(
    ("rankdir", "axis", "sign"),
    [
        ("TB", 1, 1),
        ("LR", 0, 1),
        ("BT", 1, -1),
        ("RL", 0, -1),
    ],
)
def test_flow_has_the_direction_that_is_asked_for(rankdir, axis, sign):
    model = Sequential([Input((4,)), Dense(3), Dense(2), Dense(1)])
    corners = frames(picture_of(plot_graph(model, PlotOptions()), rankdir, "ortho").shapes)
    along = [corner[axis] * sign for corner in corners]
    assert along == sorted(along)
    assert len(set(along)) == 3


def test_ranks_follow_the_longest_way_and_chains_are_straight():
    sizes = [(50.0, 20.0)] * 6
    links = [Link(0, 1), Link(1, 2), Link(2, 4), Link(0, 4), Link(3, 4), Link(4, 5)]
    layout = laid_out(sizes, links)
    along = [centre[1] for centre in layout.centres]
    assert along[0] < along[1] < along[2] < along[4] < along[5]
    assert along[3] == along[2]  # a source stands just before what takes it
    assert layout.centres[1][0] == layout.centres[2][0]
    assert abs(layout.centres[3][0] - layout.centres[2][0]) >= 50 + ACROSS_GAP
    begins, course = layout.courses[3]
    assert (begins, len(course)) == (0, 4)
    assert course[1] == course[2]


def test_few_connections_cross():
    # Two groups that are given in mixed order: sorted, nothing crosses.
    links = [Link(0, 5), Link(1, 4), Link(2, 6), Link(3, 7), Link(0, 6), Link(1, 7)]
    layout = laid_out([(20.0, 10.0)] * 8, links)
    ways = sorted(tuple(course) for _, course in layout.courses)
    assert all(
        not (a[0] < b[0] and a[1] > b[1] + 1e-6) for k, a in enumerate(ways) for b in ways[k:]
    )


def test_svg_is_well_formed_and_names_every_layer(tmp_path):
    plot_model(nested(), tmp_path / "m.svg", show_layer_names=True, expand_nested=True)
    root = ET.parse(tmp_path / "m.svg").getroot()
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"in1", "in2", "e1", "e2", "hin", "kin", "s", "d1", "d2", "z", "out"} <= texts
    assert {"encoder", "inner", "Dense", "InputLayer"} <= texts
    arrows = list(root.iter("{http://www.w3.org/2000/svg}polygon"))
    assert len(arrows) == len(NESTED_EDGES)
    before = (tmp_path / "m.svg").read_bytes()
    plot_model(nested(), tmp_path / "m.svg", show_layer_names=True, expand_nested=True)
    assert (tmp_path / "m.svg").read_bytes() == before


@pytest.mark.filterwarnings("ignore:.*IPython")
def test_png_has_the_size_of_the_svg_at_its_resolution(tmp_path):
    pil = pytest.importorskip("PIL.Image", reason="PNG files need Pillow")
    model = branched()
    plot_model(model, tmp_path / "m.svg", show_shapes=True)
    plot_model(model, tmp_path / "m.png", show_shapes=True, dpi=192)
    root = ET.parse(tmp_path / "m.svg").getroot()
    with pil.open(tmp_path / "m.png") as image:
        width, height = (float(root.attrib[name]) * 2 for name in ("width", "height"))
        assert image.size == (pytest.approx(width, abs=1), pytest.approx(height, abs=1))
        assert image.info["dpi"] == (pytest.approx(192, abs=0.1), pytest.approx(192, abs=0.1))
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    assert {(0x2F, 0x3E, 0x55), (0x5F, 0x75, 0x90), (255, 255, 255)} <= colours
    plot_model(model, tmp_path / "plain")
    with pil.open(tmp_path / "plain") as image:
        assert image.format == "PNG"


def test_dot_has_the_attributes_and_clusters(tmp_path):
    dot = model_to_dot(
        nested(), show_shapes=True, expand_nested=True, rankdir="LR", dpi=90, splines="curved"
    )
    text = str(dot)
    assert "rankdir=LR, dpi=90, splines=curved" in text
    assert 'subgraph "cluster_inner" {' in text
    assert "Output shape: <b>(None, 16)</b>" in text
    assert text.count("{") == text.count("}")
    dot.write(tmp_path / "own.dot")
    assert (tmp_path / "own.dot").read_text("utf-8") == text
    assert model_to_dot(nested(), subgraph=True).to_string().startswith('subgraph "cluster_')
    plot_model(branched(), tmp_path / "m.dot", show_layer_names=True)
    assert (tmp_path / "m.dot").read_text("utf-8") == model_to_dot(branched()).to_string()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rankdir": "DOWN"}, "`rankdir` must be one of TB, LR, BT, RL"),
        ({"splines": "wavy"}, "`splines` must be one of ortho"),
        ({"dpi": 0}, "`dpi` must be positive"),
        ({"layer_range": ["a", "b"]}, r"Unknown arguments of a plot: \['layer_range'\]"),
    ],
)
def test_wrong_arguments_are_refused(options, message, tmp_path):
    for draw in (lambda m, **o: plot_model(m, tmp_path / "m.svg", **o), model_to_dot):
        with pytest.raises(ValueError, match=message):
            draw(branched(), **options)


def test_model_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not built"):
        plot_model(Sequential([Dense(2)]), tmp_path / "m.svg")


def test_svg_needs_no_pillow_and_png_names_it(tmp_path):
    program = (
        "import sys\nsys.modules['PIL'] = None\nimport seqonnx\n"
        "m = seqonnx.Sequential([seqonnx.Input((2,)), seqonnx.layers.Dense(1)])\n"
        f"seqonnx.utils.plot_model(m, {str(tmp_path / 'm.svg')!r})\n"
        f"try:\n    seqonnx.utils.plot_model(m, {str(tmp_path / 'm.png')!r})\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "seqonnx[images]"' in done.stdout
    assert (tmp_path / "m.svg").exists()


def test_subclassed_models_show_the_layers_they_call():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = Dense(3, name="first"), Dense(2, name="second")

        def call(self, x):
            return self.second(self.first(x))

    model = Own()
    model.build((None, 4))
    graph = plot_graph(model, PlotOptions())
    assert isinstance(graph, PlotGroup)
    assert {part.key for part in graph.parts} == {"first", "second"}
