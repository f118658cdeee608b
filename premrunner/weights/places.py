"""Where the bytes of a folder's weights lie: in files of their own, or as ranges of a larger file, such as a ZIP.

A file that is stored in a ZIP as it is need not be copied out of it. It has a name in the folder, like the others, and
a place somewhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Place:
    """A range of a file on disk.

    Attributes:
        path: The file that holds the bytes.
        offset_bytes: Where they begin there.
    """

    path: Path
    offset_bytes: int
    size_bytes: int


COPY_BYTES = 1024 * 1024

# By the path that a file would have in its folder.
Places = Mapping[Path, Place]

NO_PLACES: Places = MappingProxyType({})


def place_of(path: Path, places: Places) -> Place:
    """Return where a file's bytes lie.

    Raises:
        OSError: Nowhere.
    """
    return places.get(path) or Place(path, 0, path.stat().st_size)


def weights_in(folder: Path, pattern: str, places: Places) -> list[Path]:
    """Return the files of a folder whose names fit, sorted, wherever their bytes lie."""
    elsewhere = {path for path in places if path.parent == folder and path.match(pattern)}
    return sorted(elsewhere | {path for path in folder.glob(pattern) if path.is_file()})


def lay_out(folder: Path, target: Path, places: Places, advance: Callable[[int], None]) -> None:
    """Fill a folder with what another holds, for a program that knows no places and shall run none of its code.

    Args:
        folder: Whose files get links; Python files do not.
        target: To fill.
        places: Where the bytes of files are that have none of their own; they are copied.
        advance: Told the bytes that were copied; may raise to stop.
    """
    for path in folder.iterdir():
        if path.is_file() and path.suffix != ".py":
            (target / path.name).symlink_to(path.resolve())
    for path, place in places.items():
        if path.parent == folder:
            _copy(place, target / path.name, advance)


def _copy(place: Place, target: Path, advance: Callable[[int], None]) -> None:
    with place.path.open("rb") as whole, target.open("xb") as copy:
        whole.seek(place.offset_bytes)
        left = place.size_bytes
        while piece := whole.read(min(left, COPY_BYTES)):
            copy.write(piece)
            left -= len(piece)
            advance(len(piece))
