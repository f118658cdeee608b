"""Unpack a release archive (.tgz or .tar.zst) without letting it reach anything outside its folder.

Python's own ``data`` filter came with 3.10.12 and let some links through until 2025, so the rules are here and short:
a name or link that could lead out ends the whole thing, and nothing is written through a link.
"""

import gzip
import importlib
import os
import sys
import tarfile
import zlib
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from premrunner.errors import InstallFailed, StorageFailed

_ZSTANDARD_MODULES = ("compression.zstd",) if sys.version_info >= (3, 14) else ("backports.zstd",)


def can_unpack(archive_name: str) -> bool:
    """Tell whether this Python can read an archive of that name."""
    return not archive_name.endswith(".zst") or _zstandard() is not None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into an empty folder.

    Args:
        archive: A ``.tgz`` or ``.tar.zst``.
        folder: Exists and is empty.

    Raises:
        InstallFailed: The archive is damaged, or holds what no release holds.
        StorageFailed: The disk is full or failed.
    """
    try:
        with _open_compressed(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            files: set[PurePosixPath] = set()
            links: set[PurePosixPath] = set()
            for member in tar:
                _refuse_what_leads_out(member, files, links)
                _extract(tar, member, folder)
                (links if member.issym() else files).add(PurePosixPath(member.name))
    except _damages() as error:
        raise InstallFailed("The archive of the release is damaged.") from error
    except OSError as error:
        raise StorageFailed(f"Ollama could not be unpacked: {error.strerror or 'the disk failed'}.") from error


def _open_compressed(archive: Path) -> AbstractContextManager[IO[bytes]]:
    if not archive.name.endswith(".zst"):
        return cast(AbstractContextManager[IO[bytes]], gzip.open(archive, "rb"))
    zstandard = _zstandard()
    if zstandard is None:
        raise InstallFailed("This Python cannot read .zst archives: install the package backports.zstd.")
    return cast(AbstractContextManager[IO[bytes]], zstandard.open(archive, "rb"))


def _zstandard() -> Any:
    for name in _ZSTANDARD_MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _damages() -> tuple[type[Exception], ...]:
    """Return what the readers of the archive's layers raise on bytes that make no sense."""
    damages: tuple[type[Exception], ...] = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)
    zstandard = _zstandard()
    return damages if zstandard is None else (*damages, zstandard.ZstdError)


def _refuse_what_leads_out(member: tarfile.TarInfo, files: set[PurePosixPath], links: set[PurePosixPath]) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _hostile(member, "its name leads out of the archive")
    if any(parent in links for parent in (path, *path.parents)):
        raise _hostile(member, "it would be written through a link")
    if member.issym() and not _stays_inside(path, PurePosixPath(member.linkname)):
        raise _hostile(member, "it links to something outside")
    if member.islnk() and PurePosixPath(member.linkname) not in files:
        raise _hostile(member, "it is a second name of something that is not in the archive")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise _hostile(member, "it is neither a file, nor a folder, nor a link")


def _stays_inside(path: PurePosixPath, target: PurePosixPath) -> bool:
    """Tell whether a link's target is inside: steps up only at its front, and no more than the link is deep.

    A step up after a name would start from wherever that name links to.
    """
    names = list(target.parts)
    steps_up = 0
    while names and names[0] == "..":
        names.pop(0)
        steps_up += 1
    return not target.is_absolute() and ".." not in names and steps_up < len(path.parts)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one member that has been judged; its owner, times and special bits are not taken over."""
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        os.link(folder / member.linkname, target)
    else:
        source = tar.extractfile(member)
        if source is None:
            raise _hostile(member, "it has no content")
        with source, target.open("xb") as file:
            while data := source.read(1024 * 1024):
                file.write(data)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _hostile(member: tarfile.TarInfo, why: str) -> InstallFailed:
    return InstallFailed(f"The archive of the release was refused because of '{member.name[:100]}': {why}.")
