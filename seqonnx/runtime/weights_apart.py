"""Weights of a large model: a session reads them where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seqonnx.runtime.arrays import DeviceArray
from seqonnx.runtime.device import CPU, Device

if TYPE_CHECKING:
    from seqonnx.graph.apart import SessionModel  # needs onnx_ir, this room does not

_FOLDED_AT_MOST: Final = 1 << 20
"""Bytes of a constant that ONNX Runtime may compute from the weights of a large model."""


def give_weights(options: Any, model: SessionModel, device: Device) -> list[DeviceArray]:
    """Tell session options where the weights are that a model holds apart.

    Those that lie in files are read where they are mapped already, by all sessions. Nothing is
    packed or computed from them beforehand, which would take as much memory again: a session of
    0.27 GB of weights then takes 0.27 GB, in place of 0.58. Arrays that are in memory ONNX Runtime
    copies, and packs as it does those of small models.

    Args:
        options: from `session_options`; they are changed.
        model: the model.
        device: where it will run.

    Returns:
        The arrays as ONNX Runtime reads them, which must live as long as the session.
    """
    if len(model.arrays) == 0:
        return []
    if model.folder is not None:
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_session_config_entry(
            "optimization.constant_folding_max_output_size_in_bytes", str(_FOLDED_AT_MOST)
        )
        entry = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(entry, str(model.folder))
    arrays = {
        name: DeviceArray.from_numpy(np.asarray(array, order="C"), CPU)
        for name, array in model.arrays.items()
    }
    in_memory = model.in_memory()
    for name, array in arrays.items():
        if name not in in_memory and device.memory == "cpu":  # a GPU reads them from the file
            options.add_initializer(name, array.ort_value)
    if len(in_memory) > 0:
        copied = [arrays[name].ort_value for name in in_memory]
        options.add_external_initializers(list(in_memory), copied)
    return list(arrays.values())
