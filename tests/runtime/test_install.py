"""A missing, doubled or old ONNX Runtime is met with the command that mends it."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace

import pytest

from seqonnx.errors import RuntimeNotInstalledError
from seqonnx.runtime import install


@pytest.fixture(autouse=True)
def forgetful():
    install.load_onnxruntime.cache_clear()
    yield
    install.load_onnxruntime.cache_clear()


@pytest.fixture
def installed(monkeypatch):
    """Pretend that these distributions are installed, and that the import gives this."""

    def pretend(versions, module):
        def version(name):
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        def load():
            if isinstance(module, ImportError):
                raise module
            return module

        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setattr(install, "_import_runtime", load)

    return pretend


def refusal():
    with pytest.raises(RuntimeNotInstalledError) as caught:
        install.load_onnxruntime()
    return str(caught.value)


def test_missing_runtime_is_named_with_both_commands(installed):
    installed({}, ModuleNotFoundError("No module named 'onnxruntime'"))
    text = refusal()
    assert text.startswith("ONNX Runtime is not installed")
    assert 'pip install "seqonnx[cpu]"' in text
    assert 'pip install "seqonnx[gpu]"' in text


def test_missing_runtime_is_an_import_error(installed):
    installed({}, ModuleNotFoundError("No module named 'onnxruntime'"))
    with pytest.raises(ImportError):
        install.load_onnxruntime()


def test_both_distributions_are_refused_with_the_mending_commands(installed):
    installed(
        {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.30.0"}, SimpleNamespace(__version__="1.31")
    )
    text = refusal()
    assert text.startswith("Both onnxruntime 1.31.1 and onnxruntime-gpu 1.30.0 are installed.")
    assert "overwrite each other" in text
    assert "pip uninstall -y onnxruntime onnxruntime-gpu\n" in text
    assert text.index("pip uninstall") < text.index('pip install "seqonnx[gpu]"')


def test_runtime_that_does_not_import_is_told_apart_from_a_missing_one(installed):
    installed({"onnxruntime-gpu": "1.30.0"}, ImportError("libstdc++.so.6: version not found"))
    text = refusal()
    assert "onnxruntime-gpu 1.30.0 is installed but does not import" in text
    assert "libstdc++.so.6: version not found" in text
    assert "pip install --force-reinstall onnxruntime-gpu" in text


@pytest.mark.parametrize("version", ["1.23.2", "1.9.0", "0.99"])
def test_old_runtime_is_refused_with_the_upgrade_command(installed, version):
    installed({"onnxruntime": version}, SimpleNamespace(__version__=version))
    text = refusal()
    assert text.startswith(f"onnxruntime {version} is too old: seqonnx writes operator set 23")
    assert 'pip install --upgrade "onnxruntime>=1.24"' in text


def test_upgrade_command_keeps_the_distribution(installed):
    installed({"onnxruntime-gpu": "1.20.0"}, SimpleNamespace(__version__="1.20.0"))
    assert 'pip install --upgrade "onnxruntime-gpu>=1.24"' in refusal()


@pytest.mark.parametrize("version", ["1.24.0", "1.31.1", "1.100.0.dev20270101", "2.0"])
def test_recent_runtime_is_taken(installed, version):
    module = SimpleNamespace(__version__=version)
    installed({"onnxruntime": version}, module)
    assert install.load_onnxruntime() is module


def test_runtime_without_a_known_distribution_is_taken(installed):
    module = SimpleNamespace(__version__="1.31.1")
    installed({}, module)
    assert install.load_onnxruntime() is module


def test_failure_is_forgotten_and_success_is_remembered(installed):
    installed({}, ModuleNotFoundError("No module named 'onnxruntime'"))
    refusal()
    module = SimpleNamespace(__version__="1.31.1")
    installed({"onnxruntime": "1.31.1"}, module)
    assert install.load_onnxruntime() is module
    installed({}, ModuleNotFoundError("No module named 'onnxruntime'"))
    assert install.load_onnxruntime() is module
