"""The models on disk: manifests and blobs as one, and the headers of their files."""

import fcntl
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO

from premrunner.builtin.blobs import BlobStore
from premrunner.builtin.gguf_header import GgufHeader, read_header
from premrunner.builtin.manifests import Manifest, ManifestStore
from premrunner.builtin.names import ModelName
from premrunner.errors import StorageFailed

# A header of a large vocabulary takes 0.1 s to read and next to nothing to keep.
_HEADERS_KEPT = 64


class Library:
    """A store of models, opened by one process at a time.

    Args:
        store: Folder; made if it is not there.

    Raises:
        StorageFailed: Another process has it open, or it cannot be written.
    """

    def __init__(self, store: Path) -> None:
        try:
            store.mkdir(parents=True, exist_ok=True)
            self._lock_file = _lock(store)
            self.blobs = BlobStore(store / "blobs")
            self.blobs.prune_temporary()
            self.manifests = ManifestStore(store / "manifests")
        except OSError as error:
            raise StorageFailed(f"The model store {store} cannot be used: {error.strerror}") from error
        # Held while a model is added or deleted, so that no blob goes that a new manifest is about to name.
        self.changes = threading.Lock()
        self.header = lru_cache(maxsize=_HEADERS_KEPT)(self._read_header)

    def template(self, manifest: Manifest) -> str:
        """Return the Jinja template in force, "" if there is none."""
        return manifest.template or self.header(manifest.model_digest).text("tokenizer.chat_template")

    def delete(self, name: ModelName, manifest: Manifest) -> set[str]:
        """Delete a model and the blobs that no other uses; return the hex digests of those."""
        with self.changes:
            self.manifests.remove(name)
            orphans = manifest.blob_digests - self.manifests.used_blobs()
            for hex_digest in orphans:
                self.blobs.remove(hex_digest)
        return orphans

    def _read_header(self, hex_digest: str) -> GgufHeader:
        return read_header(self.blobs.path(hex_digest))


def _lock(store: Path) -> IO[str]:
    """Take the store's lock, which the system gives back when the last process that holds it ends."""
    file = (store / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StorageFailed(f"The model store {store} is in use by another engine.") from error
    os.set_inheritable(file.fileno(), False)
    return file
