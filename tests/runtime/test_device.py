"""A device that is asked for is had, or the error says which piece is missing."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

import seqonnx
from seqonnx import config
from seqonnx.errors import DeviceError
from seqonnx.runtime import CPU, Provider, cuda, device, load_onnxruntime, select_device


@pytest.fixture(autouse=True)
def forgetful():
    caches = (device._automatic, cuda.require_cuda)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def cpu_runtime(monkeypatch):
    """An ONNX Runtime built without CUDA."""
    pretend_runtime(monkeypatch, ["CPUExecutionProvider"])


@pytest.fixture
def gpu_runtime(monkeypatch):
    """An ONNX Runtime built with CUDA; the driver and the libraries are up to the test."""
    pretend_runtime(monkeypatch, ["CUDAExecutionProvider", "CPUExecutionProvider"])


def pretend_runtime(monkeypatch, providers):
    runtime = SimpleNamespace(get_available_providers=lambda: providers)
    monkeypatch.setattr(cuda, "load_onnxruntime", lambda: runtime)
    monkeypatch.setattr(device, "load_onnxruntime", lambda: runtime)


class Driver:
    """Stands in for the NVIDIA driver."""

    def __init__(self, devices=1, status=0):
        self.devices = devices
        self.status = status

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, count):
        count._obj.value = self.devices
        return 0


def pretend_driver(monkeypatch, driver):
    def load(path, mode=0):
        if isinstance(driver, OSError):
            raise driver
        return driver

    monkeypatch.setattr(cuda, "_load_library", load)


def refusal(request):
    with pytest.raises(DeviceError) as caught:
        select_device(request)
    return str(caught.value)


def test_cpu_is_the_cpu():
    selected = select_device("cpu")
    assert selected == CPU
    assert (selected.kind, selected.index, selected.memory) == ("cpu", 0, "cpu")
    assert selected.provider_arguments() == [("CPUExecutionProvider", {})]
    assert str(selected) == "cpu"


def test_no_request_takes_the_configured_device(monkeypatch):
    monkeypatch.setattr(config, "_settings", config._Settings())
    config.set_device("cpu")
    assert select_device() == CPU


def test_block_chooses_the_device_inside_and_not_after(monkeypatch):
    monkeypatch.setattr(config, "_settings", config._Settings())
    config.set_device("auto")
    names = {"cpu": "cpu", "cpu:0": "cpu", "GPU:0": "cuda:0", "gpu": "cuda", "cuda:1": "cuda:1"}
    for name, expected in names.items():
        with seqonnx.device(name):
            assert config.get_device() == expected
            with seqonnx.device("cpu"):
                assert select_device() == CPU
            assert config.get_device() == expected
        assert config.get_device() == "auto"
    with pytest.raises(KeyError), seqonnx.device("cpu"):
        raise KeyError
    assert config.get_device() == "auto"
    for wrong in ("tpu", "gpu:x", ""):
        with pytest.raises(ValueError, match="`device_name` must be"), seqonnx.device(wrong):
            pass


def test_auto_without_cuda_is_the_cpu_and_says_so_once(cpu_runtime, caplog):
    with caplog.at_level(logging.INFO, "seqonnx"):
        assert select_device("auto") == CPU
        assert select_device("auto") == CPU
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.INFO
    assert caplog.records[0].name == "seqonnx"
    assert "Running on the CPU." in caplog.text


def test_auto_takes_cuda_where_it_works(gpu_runtime, monkeypatch, caplog):
    pretend_driver(monkeypatch, Driver())
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: None)
    with caplog.at_level(logging.INFO, "seqonnx"):
        assert str(select_device("auto")) == "cuda:0"
    assert [record.message for record in caplog.records] == ["Running on CUDA device 0."]


def test_auto_does_not_take_cuda_that_fails_its_probe(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver())
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: "its CUDA provider does not start")
    assert select_device("auto") == CPU


@pytest.mark.parametrize("request_", ["cuda", "cuda:0", "cuda:7"])
def test_cuda_names_the_wrong_distribution(cpu_runtime, request_):
    text = refusal(request_)
    assert "the installed ONNX Runtime is built without it" in text
    assert "pip uninstall -y onnxruntime\n" in text
    assert 'pip install "seqonnx[gpu]"' in text


def test_cuda_names_a_missing_driver(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, OSError("libcuda.so.1: cannot open shared object file"))
    text = refusal("cuda")
    assert "the NVIDIA driver is not installed (libcuda.so.1: cannot open" in text
    assert "--gpus all" in text


def test_cuda_names_a_driver_that_refuses(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver(status=803))
    text = refusal("cuda")
    assert "answers with error 803" in text
    assert "nvidia-smi" in text


@pytest.mark.parametrize(("devices", "shown"), [(0, "0 devices"), (1, "1 device,"), (2, "2 dev")])
def test_cuda_names_an_index_out_of_range(gpu_runtime, monkeypatch, devices, shown):
    pretend_driver(monkeypatch, Driver(devices))
    text = refusal(f"cuda:{devices}")
    assert f"CUDA device {devices} is out of range: the driver shows {shown}" in text
    assert "CUDA_VISIBLE_DEVICES" in text


def test_cuda_names_libraries_that_do_not_load(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver())
    reason = "its CUDA provider does not load (libcudnn.so.9: cannot open shared object file)"
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: reason)
    text = refusal("cuda")
    assert reason in text
    assert 'pip install "onnxruntime-gpu[cuda,cudnn]"' in text


def test_cuda_index_reaches_the_probe_the_provider_and_the_arrays(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver(devices=4))
    probed = []
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: probed.append(index))
    selected = select_device("cuda:3")
    name, options = selected.provider_arguments()[0]
    assert probed == [3]
    assert (selected.kind, selected.index, selected.memory) == ("cuda", 3, "cuda")
    assert (name, options["device_id"]) == ("CUDAExecutionProvider", "3")
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert str(selected) == "cuda:3"


def test_tensor_float_32_can_be_switched_off(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver())
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: None)
    monkeypatch.setattr(config, "_settings", config._Settings())
    found = []
    for enabled in (True, False, True):
        config.enable_tensor_float_32(enabled)
        assert config.tensor_float_32_enabled() is enabled
        devices = [select_device(request) for request in ("auto", "cuda")]
        found.append([dict(d.providers[0].options)["use_tf32"] for d in devices])
    assert found == [["1", "1"], ["0", "0"], ["1", "1"]]


@pytest.mark.parametrize("wrong", [1, "no", None])
def test_tensor_float_32_is_on_or_off(wrong):
    with pytest.raises(ValueError, match="must be True or False"):
        config.enable_tensor_float_32(wrong)


def test_working_cuda_is_probed_once(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver())
    probed = []
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: probed.append(index))
    assert select_device("cuda") == select_device("cuda:0") == select_device("auto")
    assert probed == [0]


def test_probe_reports_a_provider_that_silently_does_not_start(monkeypatch):
    runtime = load_onnxruntime()
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        failure = cuda._probe(runtime, 0)
    assert failure is not None


def test_list_of_providers_is_passed_through():
    selected = select_device(["CPUExecutionProvider"])
    assert (selected.kind, selected.memory) == ("custom", "cpu")
    assert selected.providers == (Provider("CPUExecutionProvider"),)
    assert str(selected) == "CPUExecutionProvider"


def test_provider_options_are_passed_through():
    selected = select_device([("CPUExecutionProvider", {"use_arena": 1})])
    assert selected.provider_arguments() == [("CPUExecutionProvider", {"use_arena": "1"})]


def test_unknown_provider_is_refused_with_the_available_ones():
    text = refusal(["NoSuchProvider", "CPUExecutionProvider"])
    assert "has no provider NoSuchProvider. It has: " in text
    assert ", ".join(load_onnxruntime().get_available_providers()) in text


def test_list_with_cuda_keeps_its_arrays_on_that_gpu(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, Driver(devices=3))
    monkeypatch.setattr(cuda, "_probe", lambda runtime, index: None)
    selected = select_device([("CUDAExecutionProvider", {"device_id": 2}), "CPUExecutionProvider"])
    assert (selected.kind, selected.index, selected.memory) == ("custom", 2, "cuda")


def test_list_with_cuda_that_does_not_work_is_refused(gpu_runtime, monkeypatch):
    pretend_driver(monkeypatch, OSError("libcuda.so.1: not found"))
    assert "driver is not installed" in refusal(["CUDAExecutionProvider"])


@pytest.mark.parametrize("request_", ["gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "", []])
def test_nonsense_is_a_value_error(request_):
    with pytest.raises(ValueError, match="Received: "):
        select_device(request_)


@pytest.mark.parametrize("entry", [3, ("CPUExecutionProvider",), ("CPUExecutionProvider", 3)])
def test_entry_that_is_no_provider_is_a_value_error(entry):
    with pytest.raises(ValueError, match="a name or a pair"):
        select_device([entry])


def test_devices_can_be_keys_of_a_cache():
    assert {CPU: 1}[select_device("cpu")] == 1
