"""Files known by the SHA-256 of their content: ``blobs/sha256-<hex>`` in the store."""

import errno
import hashlib
import logging
import os
import re
import tempfile
import time
from pathlib import Path

from premrunner.builtin.refusals import Refusal
from premrunner.net.http import Readable

logger = logging.getLogger(__name__)

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})", re.ASCII)
_TEMPORARY_PREFIX = "upload-"
_COPY_BYTES = 1024 * 1024
# As in Ollama: an upload outlives a restart between it and the creation of its model.
_SPARED_SECONDS = 3600.0


def parse_digest(text: str) -> str:
    """Return the hex digits of ``sha256:<hex>`` (or with a dash), in the case they came.

    Raises:
        Refusal: ``invalid digest format``.
    """
    match = _DIGEST.fullmatch(text)
    if not match:
        raise Refusal("invalid digest format")
    return match[1]


class BlobStore:
    """A folder of blobs; a file under its final name is whole, on disk, and matches its name.

    Args:
        folder: Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, hex_digest: str) -> Path:
        """Return where a blob is, or would be."""
        return self._folder / f"sha256-{hex_digest}"

    def receive(self, digest: str, body: Readable) -> bool:
        """Store what is read from a body, and tell whether it was new.

        Memory stays constant. However this ends early, nothing is left behind.

        Args:
            digest: ``sha256:<hex>`` that the content must have.
            body: Read to its end, unless the blob is there already.

        Raises:
            Refusal: The digest is malformed or not the content's, or the disk is full.
        """
        if self.path(parse_digest(digest)).exists():
            return False
        try:
            self._store(digest, body)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise Refusal("write blob: no space left on device", 500) from error
            raise
        return True

    def _store(self, digest: str, body: Readable) -> None:
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=self._folder)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                hasher = hashlib.sha256()
                while data := body.read(_COPY_BYTES):
                    hasher.update(data)
                    file.write(data)
                actual = f"sha256:{hasher.hexdigest()}"
                if actual != digest:
                    raise Refusal(f'digest mismatch, expected "{digest}", got "{actual}"')
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(self.path(hasher.hexdigest()))
            sync_folder(self._folder)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, hex_digest: str) -> None:
        """Delete a blob if it is there."""
        self.path(hex_digest).unlink(missing_ok=True)

    def prune_temporary(self) -> None:
        """Delete what uploads left that a kill cut short; call it before serving."""
        for leftover in self._folder.glob(f"{_TEMPORARY_PREFIX}*"):
            leftover.unlink(missing_ok=True)
            logger.info("The rest of an interrupted upload was removed", extra={"file": leftover.name})

    def prune_unused(self, used: set[str]) -> None:
        """Delete blobs that no model needs; young ones stay, for their model may be about to be created.

        Args:
            used: Hex digests of the blobs that stay.
        """
        for path in self._folder.glob("sha256-*"):
            is_old = time.time() - path.stat().st_mtime > _SPARED_SECONDS
            if is_old and path.name.removeprefix("sha256-") not in used:
                path.unlink(missing_ok=True)
                logger.info("A blob that no model uses was removed", extra={"file": path.name})


def sync_folder(folder: Path) -> None:
    """Put a folder's new names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
