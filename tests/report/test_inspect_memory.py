"""Peak memory of activations: sums by hand, bodies included, lower bounds where sizes are unknown.

A float takes 4 bytes, an int64 8, a bool 1.
"""

from __future__ import annotations

import json

import onnx
import onnx.parser
import pytest

from seqonnx.report.collect import collect
from seqonnx.report.render import render_text
from seqonnx.report.serialize import to_json


def report_of(tmp_path, text, shapes=None, opset=21):
    """The report on a graph in ONNX's text form."""
    path = tmp_path / "m.onnx"
    head = f'<ir_version: 10, opset_import: ["": {opset}, "vendor": 1]>\n'
    onnx.save(onnx.parser.parse_model(head + text), path)
    return collect(path, shapes)


def peak_of(tmp_path, text, shapes=None, opset=21):
    """Its peak, which is known, so that the bound is no other."""
    totals = report_of(tmp_path, text, shapes, opset).totals
    assert totals.least_activation_bytes == totals.peak_activation_bytes
    return totals.peak_activation_bytes


def bound_of(tmp_path, text, shapes=None, opset=21):
    """Its bound, where the peak is not known."""
    totals = report_of(tmp_path, text, shapes, opset).totals
    assert totals.peak_activation_bytes is None
    return totals.least_activation_bytes


BRANCHES = """
g (float[100] x, bool c) => (float[100] y) {
  y = If (c) <
    then_branch = t () => (float[100] o) {
      a = Concat<axis = 0>(x, x)  b = Relu(a)  s = ReduceSum(b)  o = Add(x, s)
    },
    else_branch = e () => (float[100] p) { p = Relu(x) }
  >
}"""

LOOP = """
g (float[100] x) => (float[100] y, float[6, 100] z) <int64 m = {6}> {
  y, z = Loop (m, , x) <body = b (int64 i, bool go, float[100] h) => (bool go2, float[100] h2, s) {
    a = Concat<axis = 0>(h, h)  b = Relu(a)  q = ReduceSum(b)
    h2 = Add(h, q)  s = Relu(h2)  go2 = Identity(go)
  }>
}"""

SCAN = """
g (float[2, 3] s0, float[2, time, 5] x, float[5, 3] w) => (float[2, 3] y, z) {
  y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], body = b
    (float[2, 3] s, float[2, 5] e) => (float[2, 3] s2, float[2, 3] o2) {
      o = MatMul(e, w)  s2 = Add(s, o)  o2 = Relu(s2)
  }> (s0, x)
}"""


def test_branches_count_with_the_dearest_on_top_of_what_is_alive(tmp_path):
    # x and c around; in the branch a and b: 800 + 800, more than the output, 400.
    assert peak_of(tmp_path, BRANCHES) == 400 + 1 + 1600


def test_loop_counts_its_state_its_body_and_the_scan_output_that_grows(tmp_path):
    # x, y, z around; h, go, a and b in the body; the slices of five iterations are kept.
    assert peak_of(tmp_path, LOOP) == 400 + 400 + 2400 + (400 + 1 + 800 + 800) + 5 * 400


def test_loop_of_unknown_length_has_a_bound(tmp_path):
    text = LOOP.replace("(float[100] x)", "(float[100] x, int64 m)").replace("<int64 m = {6}>", "")
    text = text.replace("float[6, 100] z", "float[n, 100] z")
    assert bound_of(tmp_path, text) == 400 + 8 + 400 + (400 + 1 + 800 + 800)


def test_scan_counts_its_state_its_slices_and_its_output(tmp_path):
    # s0, x, w, y, z around; s, e and o in the body.
    around = 24 + 2 * 9 * 5 * 4 + 60 + 24 + 9 * 24
    assert peak_of(tmp_path, SCAN, {"x": (2, 9, 5)}) == around + (24 + 40 + 24)


def test_outputs_of_a_branch_are_those_of_the_node(tmp_path):
    text = (
        BRANCHES[: BRANCHES.index("then_branch")]
        + """
    then_branch = t () => (float[100] o) { o = Neg(x) },
    else_branch = e () => (float[100] p) { p = Relu(x) } > }"""
    )
    assert peak_of(tmp_path, text) == 400 + 1 + 400


def test_value_that_only_a_nested_body_reads_stays_alive(tmp_path):
    text = """
    g (float[100] x, bool c) => (float[100] y, float[1] w) <int64 m = {3}> {
      kept = Relu(x)
      big = Concat<axis = 0>(x, x, x)
      w = ReduceSum(big)
      y = If (c) <
        then_branch = t () => (float[100] o) {
          n = Neg(x)
          o = Loop (m, , n) <
            body = b (int64 i, bool go, float[100] h) => (bool go2, float[100] h2) {
              go2 = Identity(go)  h2 = Add(h, kept)
            }
          >
        },
        else_branch = e () => (float[100] p) { p = Relu(x) }
      >
    }"""
    loop = 1 + 400 + 400  # go2, h, h2
    branch = 400 + 400 + loop  # n, o
    at_if = 400 + 1 + 400 + 4 + branch  # x, c, kept, w
    at_sum = 400 + 1 + 400 + 1200 + 4  # x, c, kept, big, w
    assert peak_of(tmp_path, text) == max(at_if, at_sum) == 2406


def test_value_of_the_same_name_in_two_branches_is_two_values(tmp_path):
    text = BRANCHES.replace("float[100] p) { p = Relu(x) }", "p) { a = Relu(x) p = Relu(a) }")
    assert peak_of(tmp_path, text) == 400 + 1 + 1600


UNKNOWN = """
g (float[2] x) => (float[2] y) { a = Relu(x)  u = vendor.Make(a)  y = vendor.Take(u) }
"""


def test_value_without_a_shape_makes_the_peak_a_bound(tmp_path):
    # x and a are known, and so is y; u, which is alive beside each of them, is not.
    assert bound_of(tmp_path, UNKNOWN) == 16
    report = report_of(tmp_path, UNKNOWN)
    assert "Peak activations  ≥ 16.00 B\n" in render_text(report)
    totals = json.loads(to_json(report))["totals"]
    assert totals["peak_activation_bytes"] is None
    assert totals["least_activation_bytes"] == 16


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        # the values of a sequence, of an optional, of texts: no sizes that a type says
        ("g (float[2] x) => (float[2] y) { s = SequenceConstruct(x, x) z = SequenceAt(s, i) "
         "y = Relu(z) }".replace("{", "<int64 i = {0}> {", 1), 16),
        ("g (optional(float[2]) o) => (float[2] y) { y = OptionalGetElement(o) }", 8),
        ("g (string[2] x) => (string[2] y) { y = Identity(x) }", 0),
        # an input of unknown rank, a result of unknown type, a size that depends on the data
        ("g (float[] x, float[4] k) => (y) { y = Relu(x) }", 16),
        ("g (float[2] x) => (y) { y = vendor.Make(x) }", 8),
        ("g (float[100] x) => (float y) { a = NonZero(x) y = Cast<to = 1>(a) }", 400),
        # a body that is unknown inside
        (BRANCHES.replace("p = Relu(x)", "u = vendor.Make(x) p = vendor.Take(u)"), 2001),
    ],
)  # fmt: skip
def test_what_is_unknown_is_said_and_what_is_known_is_counted(text, bound, tmp_path):
    assert bound_of(tmp_path, text) == bound


def test_spare_output_that_nothing_reads_does_not_make_the_peak_unknown(tmp_path):
    # The mask of Dropout before operator set 7 has no shape; inference does not fill it.
    text = "g (float[100] x) => (float[100] y) { y, mask = Dropout<is_test = 1>(x) }"
    assert peak_of(tmp_path, text, opset=6) == 800
    read = "g (float[100] x) => (float[100] y, m) { y, mask = Dropout(x) m = vendor.Take(mask) }"
    assert bound_of(tmp_path, read, opset=6) == 800


@pytest.mark.parametrize(
    ("text", "peak"),
    [
        ("g (float[10] x) => (float[10] x) { }", 40),  # an output that is an input
        ("g (float[10] x, float[90] unread) => (y) { y = Relu(x) }", 400),  # alive at the start
        ("g () => (float[3] w) <float[3] w = {1, 2, 3}> { }", 0),  # weights are no activations
        ("g () => () { }", 0),
        ("g (float x) => (y) { y = Relu(x) }", 8),
        ("g (float[0, 5] x) => (y) { y = Relu(x) }", 0),
        ("g (float[5] x) => (y) { y = Cast<to = 22>(x) }", 20 + 3),  # five of four bits
        ("g (float[2] x) => (y) { y = Cast<to = 11>(x) }", 8 + 16),
        ("g (float[1099511627776, 1048576] x) => (y) { y = Relu(x) }", 2 * 2**62),
    ],
)
def test_small_and_odd_graphs(text, peak, tmp_path):
    assert peak_of(tmp_path, text) == peak


def test_functions_count_with_the_values_inside(tmp_path):
    text = """
    g (float[100] x) => (float[100] y) { y = local.wide(x) }
    <domain: "local", opset_import: ["": 21]>
    wide (a) => (r) { d = Concat<axis = 0>(a, a)  e = Relu(d)  s = ReduceSum(e)  r = Add(a, s) }
    """
    path = tmp_path / "m.onnx"
    head = '<ir_version: 10, opset_import: ["": 21, "local": 1]>\n'
    onnx.save(onnx.parser.parse_model(head + text), path)
    assert collect(path).totals.peak_activation_bytes == 400 + 800 + 800
