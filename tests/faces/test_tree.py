"""`seqonnx.tree` gives what `keras.tree` of Keras 3.15.1 gives, recorded."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from seqonnx import tree

Pair = namedtuple("Pair", "x y")
NESTED = {"b": [1, (2, None)], "a": Pair(3, 4)}
ORDERED = OrderedDict([("z", 1), ("a", 2)])


class OwnList(list):
    pass


def test_leaves_come_in_order_with_their_paths():
    assert tree.flatten(NESTED) == [3, 4, 1, 2, None]
    assert tree.flatten(ORDERED) == [1, 2]
    assert tree.flatten(defaultdict(list, {"z": 1, "a": 2})) == [2, 1]
    assert tree.flatten(deque([1, 2])) == [1, 2]
    assert tree.flatten(OwnList([1, 2])) == [[1, 2]]
    assert (tree.flatten(7), tree.flatten([]), tree.flatten("ab")) == ([7], [], ["ab"])
    paths = [("a", 0), ("a", 1), ("b", 0), ("b", 1, 0), ("b", 1, 1)]
    assert [path for path, _ in tree.flatten_with_path(NESTED)] == paths
    assert tree.flatten_with_path(5) == [((), 5)]


@pytest.mark.parametrize(
    ("structure", "nested"),
    [
        *((1, False), (None, False), ("a", False), (OwnList(), False), ({1}, False)),
        *(([], True), ((), True), ({}, True), (ORDERED, True), (deque(), True), (Pair(1, 2), True)),
    ],
)
def test_what_is_nested(structure, nested):
    assert tree.is_nested(structure) is nested


def test_functions_are_mapped_over_leaves():
    assert tree.map_structure(lambda x: (x,), NESTED) == {
        "b": [(1,), ((2,), (None,))],
        "a": Pair((3,), (4,)),
    }
    assert tree.map_structure(lambda x: x + 1, [None, 1], none_is_leaf=False) == [None, 2]
    pairs = tree.map_structure(lambda x, y: (x, y), [1, {"a": 2}], [3, {"a": 4}])
    assert pairs == [(1, 3), {"a": (2, 4)}]
    assert tree.map_structure(lambda *p: p, [None, 1], [None, 3], none_is_leaf=False) == [
        None,
        (1, 3),
    ]
    assert tree.map_structure_up_to([0, 0], lambda x, y: (x, y), [1, (2, 3)], [4, 5]) == [
        (1, 4),
        ((2, 3), 5),
    ]
    kept = tree.map_structure(lambda x: x, (defaultdict(list, a=1), deque([1], 3)))
    assert (kept[0].default_factory, kept[1].maxlen) == (list, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tree.map_structure(lambda *_: 0, [1], (1,)),
        lambda: tree.map_structure(lambda *_: 0, [[1]], [1]),
        lambda: tree.map_structure(lambda *_: 0, [1], [[1]]),
        lambda: tree.map_structure(lambda *_: 0, {"a": 1}, {"b": 1}),
        lambda: tree.map_structure(lambda *_: 0, [None], [1], none_is_leaf=False),
        lambda: tree.map_structure_up_to([[0], 0], lambda x: x, [1, 2]),
        lambda: tree.map_structure_up_to([0], lambda x: x, [1, 2]),
        lambda: tree.assert_same_structure([1], (1,)),
        lambda: tree.assert_same_structure({"a": 1}, ORDERED),
        lambda: tree.assert_same_structure(Pair(1, 2), (1, 2)),
    ],
)
def test_structures_that_differ_are_refused(call):
    with pytest.raises(ValueError, match="don't have the same nested structure"):
        call()


def test_structures_that_match():
    tree.assert_same_structure(NESTED, NESTED)
    tree.assert_same_structure({"z": 0, "a": 0}, ORDERED)
    tree.assert_same_structure(None, 1)
    tree.assert_same_paths([1], (1,))
    tree.assert_same_paths({0: 1}, [1])
    with pytest.raises(ValueError, match=r"missing in `b`: \{\('a',\)\}"):
        tree.assert_same_paths({"a": 1}, {"b": 1})
    with pytest.warns(DeprecationWarning, match="`check_types` argument is deprecated"):
        tree.assert_same_structure([1], [2], check_types=False)


def test_leaves_are_put_into_a_structure():
    packed = tree.pack_sequence_as(NESTED, [10, 20, 30, 40, 50])
    assert packed == {"a": Pair(10, 20), "b": [30, (40, 50)]}
    assert tree.pack_sequence_as({"z": 1, "a": 2}, [5, 6]) == {"a": 5, "z": 6}
    assert tree.pack_sequence_as(ORDERED, [5, 6]) == OrderedDict([("z", 5), ("a", 6)])
    assert tree.pack_sequence_as(3, [1]) == 1
    for wrong in ([1], range(6)):
        with pytest.raises(ValueError, match="The structure has 5 leaves"):
            tree.pack_sequence_as(NESTED, wrong)


def test_lists_and_shapes():
    assert tree.lists_to_tuples({"a": [1, [2]], "b": Pair([1], 2)}) == {
        "a": (1, (2,)),
        "b": Pair((1,), 2),
    }
    shapes = {"a": (1, None), "b": [(2,), [3, 4]]}
    assert tree.map_shape_structure(lambda x: ("s", x), shapes) == {
        "a": ("s", (1, None)),
        "b": [("s", (2,)), ("s", [3, 4])],
    }
    assert tree.map_shape_structure(lambda x: ("s", x), []) == ("s", [])


def test_parts_are_visited_from_either_end():
    seen = []
    tree.traverse(seen.append, [1, (2, {"k": None})])
    assert seen == [[1, (2, {"k": None})], 1, (2, {"k": None}), 2, {"k": None}, None]
    seen.clear()
    tree.traverse(seen.append, [1, (2,)], top_down=False)
    assert seen == [1, 2, (2,), [1, (2,)]]
    removed = tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, [1, (2, 3)])
    assert removed == [1, (None, 3)]
    assert tree.traverse(lambda x: "t" if isinstance(x, tuple) else None, [1, (2, 3)]) == [1, "t"]


def test_what_cannot_be_mapped_is_refused():
    with pytest.raises(TypeError, match=r"must be callable\. Received: None"):
        tree.map_structure(None, [1])
    with pytest.raises(ValueError, match="at least one structure"):
        tree.map_structure(lambda x: x)
