"""Files opened once for positional reads from several threads; imports nothing that takes long to load."""

import os
import threading
from pathlib import Path

from premrunner.weights.cache_hints import CacheHints
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.places import NO_PLACES, Places, place_of


class OpenFiles:
    """Files opened once for positional reads from several threads.

    Not a memory map: a map counts as memory in use, and kills the process with SIGBUS when somebody shortens the file.

    Args:
        places: Where the bytes of files are that have none of their own.

    Attributes:
        hints: Told of every read.
    """

    def __init__(self, places: Places = NO_PLACES) -> None:
        self.places = places
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()
        self.hints = CacheHints()

    def read_into(self, path: Path, offset_bytes: int, target: memoryview) -> None:
        """Fill ``target`` from an offset in a file.

        Raises:
            WeightsInvalid: The file has become shorter since it was checked.
        """
        descriptor, begin = self.locate(path)
        offset_bytes += begin
        if not _is_filled(descriptor, offset_bytes, target):
            raise WeightsInvalid(f"{path.name} became shorter while it was read.", file_name=path.name)
        self.hints.note(descriptor, offset_bytes, offset_bytes + len(target))

    def locate(self, path: Path) -> tuple[int, int]:
        """Return the open file that holds a file's bytes, and the offset where they begin there."""
        if path in self.places:
            return self._descriptor(self.places[path].path), self.places[path].offset_bytes
        return self._descriptor(path), 0

    def size_bytes(self, path: Path) -> int:
        """Return how many bytes a file has."""
        return place_of(path, self.places).size_bytes

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    def _descriptor(self, path: Path) -> int:
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY)
            return self._descriptors[path]


def _is_filled(descriptor: int, offset_bytes: int, target: memoryview) -> bool:
    """Fill ``target`` from an offset in an open file; tell whether the file goes that far."""
    while len(target):
        count = os.preadv(descriptor, [target], offset_bytes)
        if not count:
            return False
        target = target[count:]
        offset_bytes += count
    return True
