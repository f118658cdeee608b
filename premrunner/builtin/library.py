"""The models on disk: manifests and blobs as one, and the headers of their files."""

import fcntl
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO

from premrunner.builtin.blobs import BlobStore
from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.manifests import Manifest, ManifestStore
from premrunner.builtin.names import ModelName
from premrunner.builtin.refusals import blob_missing
from premrunner.errors import StorageFailed
from premrunner.weights.gguf_header import GgufHeader

# A header of a large vocabulary takes 0.1 s to read and next to nothing to keep.
_HEADERS_KEPT = 64


class Library:
    """A store of models; `lock_store` sees to it that it has no other user.

    Args:
        store: Folder; made if it is not there. Blobs that nothing needs are removed from it.
    """

    def __init__(self, store: Path) -> None:
        self.blobs = BlobStore(store / "blobs")
        self.blobs.prune_temporary()
        self.manifests = ManifestStore(store / "manifests")
        if self.manifests.is_complete:
            self.blobs.prune_unused(self.manifests.used_blobs())
        # Held while a model is added or deleted, so that no blob goes that a new manifest is about to name.
        self._changes = threading.Lock()
        self.header = lru_cache(maxsize=_HEADERS_KEPT)(self._read_header)

    def template(self, manifest: Manifest) -> str:
        """Return the Jinja template in force, "" if there is none."""
        return manifest.template or self.header(manifest.model_digest).text("tokenizer.chat_template")

    def put(self, manifest: Manifest) -> None:
        """Add a model, in place of the one of that name if there is one.

        Raises:
            Refusal: One of its blobs has been deleted meanwhile.
        """
        with self._changes:
            for hex_digest in manifest.blob_digests:
                if not self.blobs.path(hex_digest).exists():
                    raise blob_missing(hex_digest)
            replaced = self.manifests.find(ModelName.parse(manifest.name))
            self.manifests.put(manifest)
            self._remove_orphans(replaced.blob_digests if replaced else set())

    def delete(self, name: ModelName, manifest: Manifest) -> None:
        """Delete a model and the blobs that no other uses."""
        with self._changes:
            self.manifests.remove(name)
            self._remove_orphans(manifest.blob_digests)

    def _remove_orphans(self, hex_digests: set[str]) -> None:
        for hex_digest in hex_digests - self.manifests.used_blobs():
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
