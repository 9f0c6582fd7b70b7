"""`get_file` keeps one verified copy of a file where Keras keeps it, and unpacks it safely."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from seqonnx.errors import ModelFileError
from seqonnx.utils import get_file

CONTENT = b"1,2\n3,4\n"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Answer(io.BytesIO):
    def __init__(self, content):
        super().__init__(content)
        self.headers = Headers()


class Headers(dict):
    def get_all(self, name):
        return None


@pytest.fixture
def served(monkeypatch):
    """Answers of the network: each request takes the next; an exception is raised."""
    answers: list = [CONTENT]
    asked = []

    def open_url(url, timeout):
        asked.append(url)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)

    monkeypatch.setattr(urllib.request, "urlopen", open_url)
    return answers, asked


URL = "https://example.org/files/table.csv?version=2"


def test_a_file_is_fetched_once_into_the_folder_of_keras(served, cache):
    _, asked = served
    path = get_file(origin=URL)
    assert path == str(cache / "table.csv")
    assert Path(path).read_bytes() == CONTENT
    assert get_file("table.csv", URL, md5_hash=MD5) == path
    assert get_file("table.csv", URL, file_hash=SHA256) == path
    assert asked == [URL]
    assert get_file("table.csv", URL, force_download=True) == path
    assert len(asked) == 2


def test_the_place_can_be_chosen(served, tmp_path, monkeypatch):
    assert get_file("a", URL, cache_dir=tmp_path, cache_subdir="mine") == str(tmp_path / "mine/a")
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path / "ours"))
    assert get_file("a", URL) == str(tmp_path / "ours" / "datasets" / "a")


@pytest.mark.parametrize(("kind", "value"), [("md5_hash", MD5), ("file_hash", SHA256)])
def test_a_copy_with_another_checksum_is_fetched_again(served, cache, kind, value):
    cache.mkdir(parents=True)
    (cache / "table.csv").write_bytes(b"old")
    assert Path(get_file(origin=URL, **{kind: value})).read_bytes() == CONTENT


def test_a_download_with_another_checksum_is_not_kept(served, cache):
    with pytest.raises(ModelFileError, match="but 00 is published; nothing was kept"):
        get_file(origin=URL, file_hash="00")
    assert list(cache.iterdir()) == []


def test_a_failure_that_passes_is_tried_again(served):
    answers, asked = served
    answers[:] = [urllib.error.URLError("reset"), CONTENT]
    assert Path(get_file(origin=URL)).read_bytes() == CONTENT
    assert len(asked) == 2


def test_without_a_network_the_error_says_where_to_put_the_file(cache):
    with pytest.raises(ConnectionError, match="no network") as caught:
        get_file(origin=URL)
    assert str(cache / "table.csv") in str(caught.value)


def tar_of(**members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_of(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (tar_of(a=CONTENT), {"extract": True}),
        (tar_of(a=CONTENT), {"untar": True}),
        (zip_of(a=CONTENT), {"extract": True}),
        (zip_of(a=CONTENT), {"extract": True, "archive_format": ["tar", "zip"]}),
    ],
    ids=["tar", "untar", "zip", "either"],
)
def test_archives_are_unpacked_where_keras_unpacks_them(served, cache, content, arguments):
    served[0][:] = [content]
    path = get_file("table.tar.gz", URL, **arguments)
    assert path == str(cache / "table_extracted")
    assert (Path(path) / "a").read_bytes() == CONTENT
    assert (cache / "table.tar.gz").is_file()
    # Without a name, and with one that has no ending.
    assert get_file(origin="https://x.org/b.zip", extract=True) == str(cache / "b.zip")
    assert (cache / "b.zip_archive").is_file()
    assert get_file("c", URL, extract=True) == str(cache / "c")


def test_an_archive_that_has_changed_is_unpacked_again(served, cache):
    served[0][:] = [tar_of(a=b"1")]
    folder = Path(get_file("t", URL, extract=True))
    (folder / "made").write_text("by the user")
    get_file("t", URL, extract=True)
    assert (folder / "made").exists()  # nothing to do
    served[0][:] = [tar_of(a=b"2")]
    os.utime(folder, (1, 1))
    get_file("t", URL, extract=True, force_download=True)
    assert (folder / "a").read_bytes() == b"2"


@pytest.mark.parametrize(
    "content",
    [
        tar_of(**{"../outside": CONTENT}),
        tar_of(link="../../outside"),
        zip_of(**{"../outside": CONTENT}),
        zip_of(**{"/outside": CONTENT}),
    ],
    ids=["tar", "link", "zip", "absolute"],
)
def test_members_that_lead_out_of_the_folder_are_refused(served, cache, content):
    served[0][:] = [content]
    with pytest.raises(ValueError, match="Nothing was kept"):
        get_file("t", URL, extract=True)
    assert [path.name for path in cache.rglob("*")] == ["t_archive"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, 'Please specify the "origin" argument'),
        ({"origin": "https://example.org/"}, "does not end in a file name: pass `fname`"),
        ({"fname": "a/b", "origin": URL}, r"`fname` must be a file name without a path.*'a/b'"),
        ({"fname": "..", "origin": URL}, "`fname` must be a file name"),
        ({"origin": URL, "hash_algorithm": "crc"}, "must be one of auto, md5, sha256"),
        ({"origin": URL, "extract": True, "archive_format": "rar"}, "or one of tar, zip"),
        ({"origin": URL, "extract": True}, "is not an archive of the format tar or zip"),
        ({"origin": URL, "extract": True, "archive_format": None}, "of the format None"),
    ],
)
def test_arguments_that_are_not_legal_are_refused(served, arguments, words):
    with pytest.raises(ValueError, match=words):
        get_file(**arguments)
