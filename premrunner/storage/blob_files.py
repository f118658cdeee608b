"""Files linked into the blobs of an engine on this machine, so that a model lies on the disk once."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from premrunner.errors import StorageFailed

READ_BYTES = 1024 * 1024


def link_blob(blobs: Path, sha256: str, file: Path, advance: Callable[[int], None]) -> bool:
    """Give a file the name of its content among an engine's blobs; False where the disks differ.

    Args:
        blobs: The engine's folder.
        sha256: What the file is known to be; it is looked at again, because engines trust the name.
        file: Not changed any more by anybody.
        advance: Told the bytes that were read; may raise to stop.

    Raises:
        StorageFailed: The file is not what it was.
    """
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as content:
        done = 0
        while piece := content.read(READ_BYTES):
            digest.update(piece)
            done += len(piece)
            advance(done)
    if digest.hexdigest() != sha256:
        raise StorageFailed("The file on the disk is not what was uploaded any more. Upload it again.")
    try:
        with suppress(FileExistsError):
            os.link(file, blobs / f"sha256-{sha256}")
    except OSError:
        return False
    return True


def remove_unused_blob(blobs: Path, sha256: str) -> int:
    """Delete a blob that no model of that engine names, and return the bytes that came free."""
    blob = blobs / f"sha256-{sha256}"
    if not sha256 or not blob.exists() or _is_named(blobs.parent / "manifests", sha256):
        return 0
    entry = blob.stat()
    blob.unlink(missing_ok=True)
    return entry.st_size if entry.st_nlink == 1 else 0


def _is_named(manifests: Path, sha256: str) -> bool:
    name = sha256.encode()
    return any(path.is_file() and name in path.read_bytes() for path in manifests.rglob("*"))
