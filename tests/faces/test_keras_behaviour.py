"""Names of Keras give what they give in Keras 3.15.1, as `record_keras_behaviour.py` recorded."""

from __future__ import annotations

import warnings

import pytest

import seqonnx as sx
from support.behaviour.every import CASES
from support.behaviour.table import differs, plain, recorded

RECORDED = recorded()
PICTURES = ("array_to_img", "img_to_array", "load_img", "save_img", "image_dataset_from_directory")
NEEDS = {
    "callbacks.ModelCheckpoint": "h5py",
    "callbacks.TensorBoard": "tensorboardX",
    **{f"utils.{name}": "PIL" for name in PICTURES},
}
"""Packages of extras, by the names that need them."""


@pytest.mark.parametrize("path", sorted(CASES))
def test_name_gives_what_it_gives_in_keras(path):
    if path in NEEDS:
        pytest.importorskip(NEEDS[path], reason=f"{path} needs {NEEDS[path]}")
    sx.utils.clear_session()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = plain(CASES[path](sx))
    assert differs(RECORDED[path], found) == ""


def test_every_recorded_name_is_still_tested():
    assert set(RECORDED) == set(CASES)
