"""What models there are: one small JSON file a model in ``manifests/``, all of them also in memory."""

import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from premrunner.builtin.blobs import sync_folder
from premrunner.builtin.names import ModelName
from premrunner.builtin.refusals import Refusal

logger = logging.getLogger(__name__)

_SUFFIX = ".json"
# What file systems take; only names with an absurdly long host pass it.
_FILE_NAME_MOST = 250


@dataclass(frozen=True)
class Manifest:
    """One model.

    Attributes:
        name: As it is listed.
        modified_at: RFC 3339.
        model_digest: Hex digest of the GGUF.
        projector_digest: Hex digest of the vision projector's GGUF, or "".
        size_bytes: Of both files together.
        template: Jinja chat template in place of the GGUF's own, or "".
        system: Default system prompt, or "".
        parameters: Default options.
        messages: Messages that stand before every chat.
        license: Texts.
        details: As ``/api/tags`` shows them.
        capabilities: ``completion``, ``tools``, ``thinking``, ``vision``, ``insert``, ``embedding``.
    """

    name: str
    modified_at: str
    model_digest: str
    projector_digest: str
    size_bytes: int
    template: str
    system: str
    parameters: dict[str, Any]
    messages: list[dict[str, Any]]
    license: list[str]
    details: dict[str, Any]
    capabilities: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Hex digest of everything but the name and the time."""
        content = asdict(self)
        del content["name"], content["modified_at"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def blob_digests(self) -> set[str]:
        """Hex digests of the files it needs."""
        return {self.model_digest, self.projector_digest} - {""}


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment (or now) as RFC 3339 in UTC, as Ollama writes it."""
    return (moment or datetime.now(timezone.utc)).isoformat(timespec="microseconds").replace("+00:00", "Z")


class ManifestStore:
    """Manifests of one store, of which this process is the only user.

    Args:
        folder: Made if it is not there. A file in it that cannot be read is left alone and its model not listed.

    Attributes:
        is_complete: Whether all files could be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.tmp"):
            leftover.unlink(missing_ok=True)
        self._manifests = dict(_read_all(folder))
        self.is_complete = len(self._manifests) == len(list(folder.glob(f"*{_SUFFIX}")))

    def find(self, name: ModelName) -> Manifest | None:
        """Return a model's manifest, whatever the case its name is spelled in; None if there is none."""
        return self._manifests.get(name.key)

    def all(self) -> list[Manifest]:
        """Return all manifests, newest first."""
        with self._lock:
            manifests = list(self._manifests.values())
        return sorted(manifests, key=lambda manifest: manifest.modified_at, reverse=True)

    def put(self, manifest: Manifest) -> None:
        """Write a manifest, replacing the one of that name; it is on disk before this returns."""
        key = ModelName.parse(manifest.name).key
        path = self._path(key)
        with self._lock:
            handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(asdict(manifest), file, ensure_ascii=False, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
            sync_folder(self._folder)
            self._manifests[key] = manifest

    def remove(self, name: ModelName) -> None:
        """Forget a model; its blobs stay."""
        with self._lock:
            self._path(name.key).unlink(missing_ok=True)
            self._manifests.pop(name.key, None)

    def used_blobs(self) -> set[str]:
        """Return the hex digests of all blobs that some model needs."""
        return {digest for manifest in self.all() for digest in manifest.blob_digests}

    def _path(self, key: str) -> Path:
        file_name = quote(key, safe="") + _SUFFIX
        if len(file_name) > _FILE_NAME_MOST:
            raise Refusal("invalid model name")
        return self._folder / file_name


def _read_all(folder: Path) -> Iterator[tuple[str, Manifest]]:
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            manifest = Manifest(**json.loads(path.read_bytes()))
            yield ModelName.parse(manifest.name).key, manifest
        except (OSError, ValueError, TypeError, Refusal):
            logger.warning("Unreadable manifest left out of the list", extra={"file": path.name}, exc_info=True)
