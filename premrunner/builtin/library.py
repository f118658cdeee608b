"""The models on disk: manifests and blobs as one, and the headers of their files."""

import fcntl
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
    """A store of models; `lock_store` sees to it that it has no other user.

    Args:
        store: Folder; made if it is not there. What interrupted uploads left in it is removed.
    """

    def __init__(self, store: Path) -> None:
        self.blobs = BlobStore(store / "blobs")
        self.blobs.prune_temporary()
        self.manifests = ManifestStore(store / "manifests")
        # Held while a model is added or deleted, so that no blob goes that a new manifest is about to name.
        self.changes = threading.Lock()
        self.header = lru_cache(maxsize=_HEADERS_KEPT)(self._read_header)

    def template(self, manifest: Manifest) -> str:
        """Return the Jinja template in force, "" if there is none."""
        return manifest.template or self.header(manifest.model_digest).text("tokenizer.chat_template")

    def delete(self, name: ModelName, manifest: Manifest) -> None:
        """Delete a model and the blobs that no other uses."""
        with self.changes:
            self.manifests.remove(name)
            for hex_digest in manifest.blob_digests - self.manifests.used_blobs():
                self.blobs.remove(hex_digest)

    def _read_header(self, hex_digest: str) -> GgufHeader:
        return read_header(self.blobs.path(hex_digest))


def lock_store(store: Path) -> IO[str]:
    """Make a store this process's own, and its forks', until they have all ended or closed the file returned.

    Raises:
        StorageFailed: Another engine has it, or the folder cannot be written.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        file = (store / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise StorageFailed(f"The model store {store} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StorageFailed(f"The model store {store} is in use by another engine.") from error
    return file
