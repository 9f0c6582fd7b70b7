"""Obstacles to writing a file are found before the work, named, and stay as they are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import ModelCheckpoint
from seqonnx.export import checkpoint
from seqonnx.graph import Variable, writing
from seqonnx.graph.writing import replacing
from seqonnx.models import saving as model_files

WRITERS = {
    "save": (".onnx", lambda model, path: model.save(path)),
    "export": (".onnx", lambda model, path: model.export(path)),
    "npz": (".npz", lambda model, path: model.save_weights(path)),
    "h5": (".weights.h5", lambda model, path: model.save_weights(path)),
}
every_writer = pytest.mark.parametrize("writer", WRITERS)
links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def make_model(units: int = 2) -> keras.Sequential:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(units), layers.Dense(3)])
    model.compile("adam", "mse")
    return model


@pytest.fixture
def at_work(monkeypatch):
    """Makes the work itself fail, so that a test sees what is found before it."""

    def start():
        def work(*_, **__):
            raise AssertionError("the work has begun")

        monkeypatch.setattr(model_files, "export_model", work)
        monkeypatch.setattr(checkpoint, "emit_apart", work)
        monkeypatch.setattr(Variable, "numpy", work)

    return start


def refused(writer: str, path: Path, at_work) -> OSError:
    """The error that a write to a path gives, before the work."""
    if writer == "h5":
        pytest.importorskip("h5py", reason="`.weights.h5` needs h5py")
    model = make_model()
    at_work()
    with pytest.raises(OSError, match=str(path.name)[:20]) as caught:
        WRITERS[writer][1](model, path)
    return caught.value


@links
@every_writer
def test_link_that_leads_to_itself_is_refused_and_stays(tmp_path, writer, at_work):
    path = tmp_path / f"loop{WRITERS[writer][0]}"
    path.symlink_to(path)
    error = refused(writer, path, at_work)
    assert error.errno == errno.ELOOP
    assert "leads back to itself" in str(error)
    assert path.is_symlink()
    assert list(tmp_path.iterdir()) == [path]


@links
def test_links_in_a_circle_and_in_the_folder_are_refused(tmp_path, at_work):
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    one.symlink_to(other)
    other.symlink_to(one)
    assert refused("npz", one, at_work).errno == errno.ELOOP
    folder = tmp_path / "folder"
    folder.symlink_to(folder)
    with pytest.raises(OSError, match="folder") as caught:
        replacing(folder / "m.npz").__enter__()
    assert caught.value.errno == errno.ELOOP
    assert all(path.is_symlink() for path in (one, other, folder))


@links
@every_writer
def test_link_to_nothing_and_chain_of_links_lead_to_the_file(tmp_path, writer):
    if writer == "h5":
        pytest.importorskip("h5py", reason="`.weights.h5` needs h5py")
    suffix, write = WRITERS[writer]
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / f"target{suffix}"
    middle, link = tmp_path / f"middle{suffix}", tmp_path / f"link{suffix}"
    middle.symlink_to(target)
    link.symlink_to(middle.name)
    for _ in range(2):  # first there is nothing, then there is a file
        write(make_model(), link)
        assert link.is_symlink()
        assert middle.is_symlink()
        assert target.is_file()
        assert not target.is_symlink()
    assert set(tmp_path.iterdir()) == {target.parent, middle, link}


@every_writer
def test_folder_is_refused(tmp_path, writer, at_work):
    path = tmp_path / f"folder{WRITERS[writer][0]}"
    path.mkdir()
    error = refused(writer, path, at_work)
    assert isinstance(error, IsADirectoryError)
    assert "it is a folder; name a file" in str(error)


@every_writer
def test_absent_folder_and_file_in_its_place_are_refused(tmp_path, writer, at_work):
    suffix = WRITERS[writer][0]
    (tmp_path / "file").write_bytes(b"")
    for folder in ("absent", "file"):
        error = refused(writer, tmp_path / folder / f"m{suffix}", at_work)
        assert "there is no folder" in str(error)


@links
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_device_or_pipe_is_not_replaced_by_a_file(tmp_path, kind, at_work):
    path = tmp_path / "m.onnx"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull)
    error = refused("save", path, at_work)
    assert "a device, a pipe or a socket" in str(error)
    assert not path.is_file()


def longest(folder: Path, suffix: str, letter: str = "n") -> Path:
    """A path whose last part is as long as the file system takes it."""
    limit = os.pathconf(folder, "PC_NAME_MAX")
    count = (limit - len(suffix)) // len(letter.encode())
    return folder / f"{letter * count}{suffix}"


@pytest.mark.skipif(sys.platform == "win32", reason="other limits")
@every_writer
def test_name_that_is_too_long_is_refused_and_the_longest_is_not(tmp_path, writer, at_work):
    if writer == "h5":
        pytest.importorskip("h5py", reason="`.weights.h5` needs h5py")
    suffix, write = WRITERS[writer]
    for letter in ("n", "ß", "数"):
        path = longest(tmp_path, suffix, letter)
        write(make_model(), path)
        assert path.is_file()
    assert len(list(tmp_path.iterdir())) == 3
    error = refused(writer, tmp_path / f"nnn{path.name}", at_work)
    assert error.errno == errno.ENAMETOOLONG


@pytest.mark.skipif(sys.platform == "win32", reason="other limits")
def test_path_that_leaves_no_room_for_a_temporary_file_is_refused(tmp_path, at_work):
    limit = os.pathconf(tmp_path, "PC_PATH_MAX") - len(os.fsencode(tmp_path)) - 20
    folder = tmp_path.joinpath(*["d" * 99] * (limit // 100), "d" * max(1, limit % 100))
    folder.mkdir(parents=True)
    path = folder / "m.npz"
    path.write_bytes(b"short enough")
    error = refused("npz", path, at_work)
    assert (error.errno, error.filename) == (errno.ENAMETOOLONG, str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="other limits")
def test_name_that_is_too_long_for_the_data_file_is_refused(tmp_path):
    path = longest(tmp_path, ".onnx")
    with pytest.raises(OSError, match=r"File name too long.*\.data") as caught:
        model_files.save(make_model(40)._sessions, path, external_from=1)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert list(tmp_path.iterdir()) == []


FORBIDDEN = """
import os, tempfile
from pathlib import Path
from seqonnx.graph.writing import target_of
with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o555)
    pid = os.fork()
    if pid == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            target_of(Path(folder) / "m.onnx")
        except PermissionError as error:
            os._exit(7 if "takes no new files" in str(error) and "m.onnx" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.chmod(folder, 0o755)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_folder_without_permission_is_refused():
    environment = os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", FORBIDDEN], env=environment, check=True)


def test_checkpoint_finds_the_obstacle_before_the_first_epoch(tmp_path):
    path = tmp_path / "m.onnx"
    path.mkdir()
    model = make_model()
    begun = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda *_: begun.append(1))
    with pytest.raises(IsADirectoryError, match=r"m\.onnx"):
        model.fit(
            np.ones((4, 30)),
            np.ones((4, 3)),
            callbacks=[watch, ModelCheckpoint(path)],
            verbose=0,
        )
    assert begun == []


def test_private_file_is_private_while_it_is_written(tmp_path):
    path = tmp_path / "m.npz"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with replacing(path) as file:
        assert os.stat(file.name).st_mode & 0o077 == 0
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("moment", [1, 2])
def test_interrupt_after_a_rename_leaves_a_whole_model(tmp_path, monkeypatch, moment):
    """The first rename is that of the data file, the second that of the model."""
    path = tmp_path / "m.onnx"
    old, new = make_model(40), make_model(40)
    model_files.save(old._sessions, path, external_from=1)
    calls = []

    def interrupted(folder):
        calls.append(folder)
        if len(calls) == moment:
            raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_sync_directory", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model_files.save(new._sessions, path, external_from=1)
    monkeypatch.undo()
    expected = (old, new)[moment - 1].get_weights()
    for a, b in zip(keras.load_model(path).get_weights(), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.iterdir())) == 2


def test_writers_of_the_same_model_with_data_files_leave_one_of_them_whole(tmp_path):
    path = tmp_path / "m.onnx"
    models = [make_model(40) for _ in range(3)]
    failures: list[BaseException] = []

    def write(model):
        try:
            for _ in range(8):
                model_files.save(model._sessions, path, external_from=1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    first = keras.load_model(path).get_weights()[0]
    assert any(np.array_equal(first, model.get_weights()[0]) for model in models)
    model_files.save(models[0]._sessions, path, external_from=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_data_file_does_not_come_while_its_forerunner_is_removed(tmp_path, monkeypatch):
    """Between the look at a file and its removal no other may take its place."""
    model, data = tmp_path / "m.onnx", tmp_path / "m.onnx.0.data"
    data.write_bytes(b"old")
    looked, steps = threading.Event(), []

    def write():
        looked.wait()
        with writing.aside(data, owner=model) as temporary:
            temporary.file.write(b"new")
            temporary.commit()
            steps.append("written")

    def asked():
        looked.set()
        writer.join(0.3)  # long enough to come in between, were it possible
        steps.append("removed")
        return True

    writer = threading.Thread(target=write)
    writer.start()
    writing.remove_unlocked(data, only_if=asked)
    writer.join()
    assert steps == ["removed", "written"]
    assert data.read_bytes() == b"new"
