"""Names of Keras 2 that Keras 3 keeps: objects as class name and configuration, and refusals."""

from __future__ import annotations

import pytest

import seqonnx as sx
from seqonnx import layers, optimizers, utils
from seqonnx.legacy import saving


def test_layers_become_class_name_and_configuration_and_come_back():
    written = utils.legacy.serialize_keras_object(layers.Dense(3, "relu", name="d"))
    assert (written["class_name"], written["config"]["units"]) == ("Dense", 3)
    again = saving.deserialize_keras_object(written, vars(layers))
    assert (again.name, again.units) == ("d", 3)
    assert again.get_config() == layers.Dense(3, "relu", name="d").get_config()


def test_functions_go_by_their_names():
    def doubled(x):
        return x * 2

    assert saving.serialize_keras_object(doubled) == "doubled"
    assert (
        saving.deserialize_keras_object("doubled", custom_objects={"doubled": doubled}) is doubled
    )
    with utils.custom_object_scope({"doubled": doubled}):
        assert saving.deserialize_keras_object("doubled") is doubled
    assert saving.serialize_keras_object(None) is None


def test_unknown_names_and_other_forms_are_refused():
    with pytest.raises(ValueError, match=r"Unknown layer: 'Nothing'. Pass it in `module_objects`"):
        saving.deserialize_keras_object("Nothing", printable_module_name="layer")
    with pytest.raises(ValueError, match="Improper config format for"):
        saving.deserialize_keras_object({"class_name": "Dense"}, vars(layers))
    with pytest.raises(ValueError, match="Could not interpret serialized object: 3"):
        saving.deserialize_keras_object(3)
    with pytest.raises(ValueError, match=r"doesn't implement `get_config\(\)`"):
        saving.serialize_keras_object(3)


def test_old_optimizers_are_refused_with_the_remedy():
    with pytest.raises(ImportError, match=r"Use the optimizer of the same name in `seqonnx.optimi"):
        optimizers.legacy.Adam(learning_rate=0.1)


def test_version_is_that_of_the_package():
    assert sx.version() == sx.__version__
