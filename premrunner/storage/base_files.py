"""The bases that are kept: a folder each, with a note beside the weights of what it is."""

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import orjson

from premrunner.errors import BaseUnknown
from premrunner.records import Base
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FOLDER, DataPaths
from premrunner.storage.work_files import space_bytes

NOTE_NAME = "premrunner-base.json"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,199}")
# What is not whole yet has a name that no base can have.
_UNFINISHED = ".{}.part"


class BaseFiles:
    """The folders below ``bases``.

    Args:
        paths: The data folder.
    """

    def __init__(self, paths: DataPaths) -> None:
        self._root = paths.bases

    def all(self) -> Sequence[Base]:
        """Return every base, oldest first; a folder that somebody put there counts if it holds a model."""
        with disk_errors():
            folders = [folder for folder in self._root.iterdir() if _NAME.fullmatch(folder.name)]
            bases = [_described(folder) for folder in folders if _is_base(folder)]
        return sorted(bases, key=lambda base: base.created_at)

    def folder(self, base_id: str) -> Path:
        """Return where a base lies.

        Raises:
            BaseUnknown: There is none of that id.
        """
        folder = self._root / base_id
        if not _NAME.fullmatch(base_id) or not _is_base(folder):
            raise BaseUnknown
        return folder

    def unfinished(self, base_id: str) -> Path:
        """Return the folder where a base is being gathered; what an earlier try left is still in it."""
        folder = self._root / _UNFINISHED.format(base_id)
        with disk_errors():
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        return folder

    def finish(self, base: Base) -> Base:
        """Make what was gathered a base, in place of an older one of its id; its size is taken from the files."""
        unfinished, folder = self._root / _UNFINISHED.format(base.id), self._root / base.id
        with disk_errors():
            base = replace(base, size_bytes=sum(path.stat().st_size for path in unfinished.iterdir()))
            (unfinished / NOTE_NAME).write_bytes(orjson.dumps(base))
            if folder.exists():
                shutil.rmtree(folder)
            unfinished.replace(folder)
        return base

    def give_up(self, base_id: str) -> None:
        """Delete what was gathered for a base that will not be."""
        with disk_errors():
            shutil.rmtree(self._root / _UNFINISHED.format(base_id))

    def remove(self, base_id: str) -> int:
        """Delete a base and return the bytes that came free.

        Raises:
            BaseUnknown: There is none of that id.
        """
        return _removed(self.folder(base_id))

    def remove_unfinished(self, unchanged_since: datetime) -> int:
        """Delete what was never finished and nobody has touched since, and return the bytes that came free."""
        freed = 0
        for folder in self._root.glob(_UNFINISHED.format("*")):
            with suppress(FileNotFoundError):
                if datetime.fromtimestamp(_last_change(folder), timezone.utc) < unchanged_since:
                    freed += _removed(folder)
        return freed


def _is_base(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _described(folder: Path) -> Base:
    with suppress(OSError, ValueError, TypeError):
        note = orjson.loads((folder / NOTE_NAME).read_bytes())
        names, created_at = tuple(note["names"]), datetime.fromisoformat(note["created_at"])
        return Base(**{**note, "id": folder.name, "names": names, "created_at": created_at})
    name = folder.name.replace("--", "/", 1)
    size_bytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    created_at = datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc)
    return Base(folder.name, name, (name,), "folder", size_bytes, created_at)


def _last_change(folder: Path) -> float:
    return max(path.stat().st_mtime for path in [folder, *folder.iterdir()])


def _removed(folder: Path) -> int:
    freed = space_bytes(folder)
    with disk_errors():
        # Out of sight first: nobody shall find half a base.
        gone = folder.with_name(_UNFINISHED.format(f"{folder.name}-{os.getpid()}-removed"))
        folder.replace(gone)
        shutil.rmtree(gone)
    return freed
