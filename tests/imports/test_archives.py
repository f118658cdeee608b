"""Honest archives are read as they are, and memory stays small whatever they hold."""

import gzip
import hashlib
import io
import os
import tarfile
import tracemalloc
import zipfile

import pytest

from premrunner.archives.names import DistinctNames, checked_name, is_junk
from premrunner.archives.tar_stream import TarReader
from premrunner.archives.zip_directory import read_zip

LARGE = 200 * 1024 * 1024


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_as_it_was_packed(tmp_path, method):
    contents = {"a folder/größe.bin": os.urandom(3_000_000), "empty.txt": b"", "b/c.json": b"{}" * 1000}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.mkdir("only a folder")
    found = {member.name: b"".join(member.pieces(path)) for member in read_zip(path)}
    assert found == contents


def test_a_zip_that_was_streamed_and_one_with_wide_numbers_are_read(tmp_path):
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, piece):
            self.data += piece
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("wide.bin", "w", force_zip64=True) as member:
            member.write(b"wide" * 1000)
        archive.writestr("plain.bin", b"plain")
    path = tmp_path / "streamed.zip"
    path.write_bytes(bytes(pipe.data))
    found = {member.name: b"".join(member.pieces(path)) for member in read_zip(path)}
    assert found == {"wide.bin": b"wide" * 1000, "plain.bin": b"plain"}


def test_a_large_member_costs_no_memory(tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("m", "w") as member:
        for _ in range(LARGE // 1024 // 1024):
            member.write(bytes(1024 * 1024))
    tracemalloc.start()
    [member] = read_zip(path)
    size = sum(len(piece) for piece in member.pieces(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == LARGE
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(tmp_path, form):
    contents = {"short.txt": b"x" * 700, f"{'long/' * 25}name.bin": os.urandom(5000), "größe.json": b"{}"}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    packed = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(stream.getvalue())))
    reader = TarReader(packed)
    found = {member.name: reader.read(member.size_bytes) for member in reader.members()}
    assert found == contents


def test_names_are_made_plain():
    assert checked_name("a\\b/./c.gguf") == "a/b/c.gguf"
    assert is_junk("x/__MACOSX/._a.gguf")
    assert not is_junk("model.gguf")
    names = DistinctNames()
    for name in ("a/", "a/b", "a/c", "b", "a/"):
        names.add(name)


def test_a_stored_member_lies_where_it_says(tmp_path):
    path, content = tmp_path / "a.zip", os.urandom(100_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first", b"1")
        archive.writestr("model.gguf", content)
    member = read_zip(path)[1]
    at = member.offset_bytes
    assert hashlib.sha256(path.read_bytes()[at : at + member.size_bytes]).digest() == hashlib.sha256(content).digest()
