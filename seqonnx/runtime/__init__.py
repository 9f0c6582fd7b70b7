"""Running graphs: the only room that touches ONNX Runtime, and only on first use.

Devices and providers, arrays in a device's memory, sessions and bindings, errors in terms of
layers, profiles, placement.
"""

from __future__ import annotations

from seqonnx.runtime.arrays import DeviceArray, TensorSpec
from seqonnx.runtime.binding import Binding
from seqonnx.runtime.device import CPU, Device, Provider, select_device
from seqonnx.runtime.install import load_onnxruntime
from seqonnx.runtime.nodes import emitted_name
from seqonnx.runtime.placement import placement
from seqonnx.runtime.profile import ProfileRecord
from seqonnx.runtime.session import Session

__all__ = [
    "CPU",
    "Binding",
    "Device",
    "DeviceArray",
    "ProfileRecord",
    "Provider",
    "Session",
    "TensorSpec",
    "emitted_name",
    "load_onnxruntime",
    "placement",
    "select_device",
]
