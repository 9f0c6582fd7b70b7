"""Hashing and HashedCrossing: the hashes of TensorFlow, bins of Keras 3.15.1, and refusals."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter
from seqonnx.layers import HashedCrossing, Hashing
from seqonnx.layers.preprocessing.farmhash import fingerprints
from seqonnx.layers.preprocessing.siphash import siphashes

LETTERS = [["A"], ["B"], ["C"], ["D"], ["E"]]
NAMES = [["omar"], ["stringer"], ["marlo"], ["wire"], ["skywalker"]]
LENGTHS = [*range(40), 63, 64, 65, 127, 128, 129, 200, 1000]
STRINGS = [bytes((7 * place + length) % 255 + 1 for place in range(length)) for length in LENGTHS]
KEY = [98765, 2**62 + 132]
FARM: list[int] = [
    *(1936946117179621456, 5598742704964665833, 1655114877597445365, 7804034460815628291),
    *(5266824596582346235, 7411867043797546520, 2431515474273768547, 5121491459961798319),
    *(6081102797411094565, 5622536140209237601, 5624560577524205161, 816859775331633725),
    *(8223862028493557608, 3874334270304602608, 7067714280779380362, 2383143091038860915),
    *(3308289612704976956, 1434924399984002183, 487951974358829305, 2272886152363896176),
    *(7311116228736909596, 5481369455181732311, 2756253852585989056, 8123886271776135889),
    *(6220997601141526117, 9196490500869904086, 1241482302814729303, 8956564547796330676),
    *(2258498803678572220, 8014460116412484164, 1175049145314809381, 1151359043233558230),
    *(913620380634126923, 5787210147891561652, 409177146755782442, 533993217723537070),
    *(6169546358024667035, 4927323795113531272, 6151089142634289517, 1759492953586124389),
    *(8775856214591963311, 1228674701907097427, 6412531375422922013, 748110566798883218),
    *(1807689778428271492, 3125376035443317251, 8676205362363245843, 4463890086339798172),
]
SIP: list[int] = [
    *(447604367189509475, 2756204313710469773, 8281830088317620109, 2331576799509404459),
    *(5469539750226940674, 334120874209865645, 5147601253768060598, 106295049123468355),
    *(601582736362480084, 1807540003702627019, 4317688533067227719, 7097807397240991935),
    *(4546493970819670532, 794342992631237933, 405267040715228865, 5740859908502173636),
    *(3389473308346571046, 4253829707780855337, 5666339418230197190, 8443970749912334417),
    *(8363986886642180141, 1167771315279424831, 8163368882281932014, 6538719334261837188),
    *(8880946642174599423, 7082580548497358424, 8592233690893264586, 3071666246685972819),
    *(6166775662441726747, 5937884655500932728, 3714266449218814408, 159850811266970361),
    *(5464918469847441118, 174888022756191030, 3716385453395002003, 6295236903245586933),
    *(1864372622992355024, 6780825349005933536, 3672423498110289880, 994118539844270370),
    *(432889789495127219, 8597578386155348320, 8491587105040061995, 2884380422434003630),
    *(5235572129900940310, 4229100218966944080, 4203718723213604479, 6682371062012854336),
]
"""Of TensorFlow 2.21: `to_hash_bucket_fast` and `_strong` of the strings into 2**63 - 1 bins."""


def test_fingerprints_of_every_length_are_those_of_tensorflow():
    found = fingerprints(STRINGS) % np.uint64(2**63 - 1)
    assert found.tolist() == FARM
    assert [int(fingerprints([s])[0] % np.uint64(2**63 - 1)) for s in STRINGS] == FARM


def test_keyed_hashes_of_every_length_are_those_of_tensorflow():
    assert (siphashes(STRINGS, KEY) % np.uint64(2**63 - 1)).tolist() == SIP


def test_published_vectors():
    """Of SipHash's authors (for 0, 1 and 15 bytes), and of TensorFlow's tests for FarmHash."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    messages = [bytes(range(length)) for length in (0, 1, 15)]
    assert [hex(word) for word in siphashes(messages, key).tolist()] == [
        *("0x726fdb47dd0e0e31", "0x74f839c593dc67fd", "0xa129ca6149be45e5"),
    ]
    assert fingerprints([b"a", b"b", b"c"]).tolist() == [
        *(12917804110809363939, 11795596070477164822, 11430444447143000872),
    ]


@pytest.mark.parametrize(
    ("arguments", "x", "wanted"),
    [
        ({"num_bins": 3}, LETTERS, [[1], [0], [1], [1], [2]]),
        ({"num_bins": 3, "mask_value": ""}, [["A"], ["B"], [""]], [[1], [1], [0]]),
        ({"num_bins": 3, "mask_value": "omar"}, NAMES, [[0], [1], [2], [1], [1]]),
        ({"num_bins": 3, "salt": [133, 137]}, LETTERS, [[1], [2], [1], [0], [2]]),
        ({"num_bins": 3, "salt": 133}, LETTERS, [[0], [0], [2], [1], [0]]),
        ({"num_bins": 2, "salt": (211, 137)}, NAMES, [[1], [0], [1], [0], [1]]),
        ({"num_bins": 2}, ["omar", "stringer", "marlo"], [0, 0, 1]),
        ({"num_bins": 3}, [0, 1, 2, 3, 4], [1, 0, 1, 0, 2]),
        ({"num_bins": 3, "salt": [133, 137]}, [0, 1, 2, 3, 4], [1, 1, 2, 0, 1]),
        ({"num_bins": 5}, [[1.7, 2.2]], [[4, 4]]),
        ({"num_bins": 1, "mask_value": "A"}, LETTERS, [[0]] * 5),
        ({"num_bins": 3, "output_mode": "multi_hot"}, [["a", "b"]], [[1, 1, 0]]),
        ({"num_bins": 3, "output_mode": "one_hot"}, [["a"], ["b"]], [[1, 0, 0], [0, 1, 0]]),
        ({"num_bins": 3}, [[b"A", b"B"]], [[1, 0]]),
    ],
)
def test_bins_are_those_of_keras(arguments, x, wanted):
    layer = Hashing(**arguments)
    for given in (x, np.array(x)):
        assert layer(given).tolist() == wanted
    assert layer(x).dtype == ("int64" if layer.output_mode == "int" else "float32")


@pytest.mark.parametrize("column", [False, True])
def test_crossings_are_those_of_keras(column):
    first = np.array(["A", "B", "A", "B", "A"])
    second = np.array([101, 101, 101, 102, 102])
    wanted = np.array([1, 4, 1, 1, 3])
    pair = [first[:, None], second[:, None]] if column else [first, second]
    found = HashedCrossing(5)(pair)
    np.testing.assert_array_equal(found, wanted[:, None] if column else wanted)
    vectors = HashedCrossing(5, output_mode="one_hot")(tuple(pair))
    np.testing.assert_array_equal(vectors, np.eye(5)[wanted])
    assert HashedCrossing(5)(["A", 101]).shape == ()


@pytest.mark.parametrize("layer", [Hashing(3, salt=5, mask_value="a"), HashedCrossing(7)])
def test_configuration_makes_the_same_layer(layer):
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()


class Words(layers.Layer):
    """A layer of a user's with a hash inside."""

    def __init__(self):
        super().__init__()
        self.hash = Hashing(3)

    def call(self, x):
        return self.hash(x)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Hashing(0), "`None` or non-positive values. Received: num_bins=0"),
        (lambda: Hashing(3, dtype="float32"), "should be an integer type"),
        (lambda: Hashing(3, output_mode="tf_idf"), "Invalid value for argument `output_mode`"),
        (lambda: Hashing(3, salt=[1, 2, 3]), "tuple of size 2 integers, or a single integer"),
        (lambda: Hashing(3, output_mode="count", sparse=True), "`sparse=True` cannot be had"),
        (lambda: Hashing(3)([[None]]), "must hold text. Received: None"),
        (lambda: Hashing(3)(keras.Input((1,), dtype="string")), "hashes, and ONNX has no hash"),
        (lambda: Words()(keras.Input((1,), dtype="string")), "hashes, and ONNX has no hash"),
        (lambda: HashedCrossing(3)([keras.Input(())] * 2), "train and export the model from the"),
        (lambda: HashedCrossing(3, "count"), r"Allowed values are: \('int', 'one_hot'\)"),
        (lambda: HashedCrossing(3)(np.zeros(3)), "a list or tuple of inputs"),
        (lambda: HashedCrossing(3)([np.array(["a"])]), "at least two inputs"),
        (lambda: HashedCrossing(3)([np.zeros((2, 2), int)] * 2), r"`\(batch_size, 1\)`. Received"),
        (lambda: HashedCrossing(3)([np.zeros(2, int), np.zeros(3, int)]), "equal shape"),
        (lambda: HashedCrossing(3)([np.zeros(2), np.zeros(2)]), "integer or string dtype"),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_bins_are_encoded_by_standard_operators():
    op = Emitter()
    op.output(Hashing(3, output_mode="count")._encode(op, [op.input("x", "int64", (2, 2))]), "y")
    assert {node.domain for node in op.graph} == {""}
    assert onnx.defs.has("ScatterElements", 18)
