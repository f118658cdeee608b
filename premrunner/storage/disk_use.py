"""How much of the disk lies where; for native threads, since a tree of many files takes its time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512  # The unit of st_blocks, whatever the file system's own is.


@dataclass(frozen=True)
class Use:
    """What lies somewhere.

    Attributes:
        size_bytes: What it takes on the disk, which for a file with holes is less than its length.
        files: How many files.
    """

    size_bytes: int
    files: int


class DiskMeter:
    """Adds up files; one that has two names counts where it is met first."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def measure(self, *places: Path) -> Use:
        """Return what lies in these files and folders; what is not there takes nothing."""
        size_bytes = files = 0
        for place in places:
            for entry in _entries(place):
                if (entry.st_dev, entry.st_ino) not in self._seen:
                    self._seen.add((entry.st_dev, entry.st_ino))
                    size_bytes += entry.st_blocks * BLOCK_BYTES
                    files += 1
        return Use(size_bytes, files)


def remove(place: Path) -> int:
    """Delete a file or a folder, and return the bytes that came free; what is linked elsewhere frees nothing."""
    freed = sum(entry.st_blocks * BLOCK_BYTES for entry in _entries(place) if entry.st_nlink == 1)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
    return freed


def listing(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name; nothing when it is not there."""
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _entries(place: Path) -> Iterator[os.stat_result]:
    """Yield the files of a tree; links are counted, not followed, and what goes meanwhile is left out."""
    with suppress(OSError):
        if not place.is_dir() or place.is_symlink():
            yield place.lstat()
            return
    for folder, _, names in os.walk(place):
        for name in names:
            with suppress(OSError):
                yield (Path(folder) / name).lstat()
