"""Second stage: make the upload's files reachable, reading in place what lies in an archive as it is."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from premrunner.archives.errors import ArchiveRefused
from premrunner.archives.member import Member
from premrunner.archives.names import is_junk
from premrunner.archives.tar_stream import TarMember, TarReader
from premrunner.archives.zip_directory import read_zip
from premrunner.domain.imports.check import GZIP, TAR, ZIP, check_expanded, refuse_nested
from premrunner.domain.imports.material import READ_BYTES, SourceFile, to_json
from premrunner.domain.imports.run import ImportRun
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.work_files import create_file

GGUF_MAGIC = b"GGUF"


def unpack(run: ImportRun) -> dict[str, Any]:
    """Return the upload's files: its own, ranges of its archive, or what was inflated into the work folder.

    Raises:
        ArchiveRefused: A member is damaged, or the archive grows past all reason.
        DiskFull: What must be unpacked does not fit.
    """
    form = run.results["check"]["form"]
    folder = run.folder("unpack")
    if form == ZIP:
        files = _unpack_zip(run, folder)
    elif form in (TAR, GZIP):
        files = _unpack_tar(run, folder, is_packed=form == GZIP)
    else:
        files = _uploaded(run)
    return {"files": to_json(files, run.tools.paths.root)}


def _uploaded(run: ImportRun) -> list[SourceFile]:
    run.report.begin("unpack", "Nothing to unpack.")
    stored = run.tools.uploads.stored(run.upload)
    return [
        SourceFile(file.path, path, 0, file.size_bytes, file.sha256)
        for path, file in zip(stored, run.upload.files, strict=True)
        if not is_junk(file.path)
    ]


def _unpack_zip(run: ImportRun, folder: Path) -> list[SourceFile]:
    [archive] = run.tools.uploads.stored(run.upload)
    members = [member for member in read_zip(archive, run.watch.check) if not is_junk(member.name)]
    copied = sum(member.size_bytes for member in members if member.is_deflated)
    run.require_space(copied, "Unpacking")
    run.report.begin("unpack", "Unpacking." if copied else "Reading the archive in place.")
    total, done, files = sum(member.size_bytes for member in members), 0, []
    for member in members:
        pieces = _counted(run, member.pieces(archive), done, total)
        if member.is_deflated:
            files.append(_written(member.name, folder, pieces))
        else:
            files.append(_mapped(member, archive, pieces))
        done += member.size_bytes
    return files


def _mapped(member: Member, archive: Path, pieces: Iterator[bytes]) -> SourceFile:
    """Prove the checksum of a member that is read where it lies, and take a GGUF's digest on the way."""
    sha256 = _digest(pieces)
    return SourceFile(member.name, archive, member.offset_bytes, member.size_bytes, sha256, is_whole=False)


def _unpack_tar(run: ImportRun, folder: Path, *, is_packed: bool) -> list[SourceFile]:
    [archive] = run.tools.uploads.stored(run.upload)
    archive_bytes = archive.stat().st_size
    run.require_space(archive_bytes, "Unpacking")
    run.report.begin("unpack", "Unpacking.")
    files: list[SourceFile] = []
    try:
        with archive.open("rb") as packed, gzip.open(packed) if is_packed else packed as stream:
            reader = TarReader(cast(IO[bytes], stream))
            for member in reader.members():
                check_expanded(member.offset_bytes + member.size_bytes, archive_bytes)
                files.extend(_take(run, reader, member, folder))
                run.report.advance(packed.tell(), archive_bytes)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ArchiveRefused("The archive is damaged: it cannot be inflated to its end. Upload it again.") from error
    refuse_nested([file.name for file in files])
    return files


def _take(run: ImportRun, reader: TarReader, member: TarMember, folder: Path) -> Iterator[SourceFile]:
    pieces = _tar_pieces(run, reader, member)
    if is_junk(member.name):
        for _ in pieces:
            pass
        return
    run.require_space(member.size_bytes, "Unpacking")
    yield _written(member.name, folder, pieces)


def _tar_pieces(run: ImportRun, reader: TarReader, member: TarMember) -> Iterator[bytes]:
    left = member.size_bytes
    while left:
        run.watch.check()
        piece = reader.read(min(left, READ_BYTES))
        left -= len(piece)
        yield piece


def _written(name: str, folder: Path, pieces: Iterator[bytes]) -> SourceFile:
    path = folder / name
    with disk_errors():
        descriptor = create_file(path)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        sha256 = _digest(_tee(pieces, file))
    return SourceFile(name, path, 0, path.stat().st_size, sha256)


def _tee(pieces: Iterator[bytes], file: IO[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        with disk_errors():
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
        yield piece


def _digest(pieces: Iterator[bytes]) -> str:
    """Take all pieces, and return the digest of a GGUF; of other files none is needed."""
    first = next(pieces, b"")
    digest = hashlib.sha256(first) if first.startswith(GGUF_MAGIC) else None
    for piece in pieces:
        if digest is not None:
            digest.update(piece)
    return digest.hexdigest() if digest is not None else ""


def _counted(run: ImportRun, pieces: Iterator[bytes], done: int, total: int) -> Iterator[bytes]:
    for piece in pieces:
        run.watch.check()
        yield piece
        done += len(piece)
        run.report.advance(done, total)
