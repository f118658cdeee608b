"""The files of an import, wherever their bytes lie: a file of its own, or a range inside an archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from premrunner.domain.imports.failures import ImportRefused
from premrunner.weights.places import Place, Places

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of what was uploaded.

    Attributes:
        name: As its owner knows it, with folders; checked.
        path: The file on disk that holds it.
        offset_bytes: Where it begins there.
        sha256: Known for GGUF files; empty for others.
        is_whole: Whether the file on disk holds nothing else.
    """

    name: str
    path: Path
    offset_bytes: int
    size_bytes: int
    sha256: str = ""
    is_whole: bool = True

    @property
    def file_name(self) -> str:
        """Its name without folders."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """Its folder, empty for none."""
        return self.name.rpartition("/")[0]

    def head(self, size: int) -> bytes:
        """Return its first bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset_bytes)
            return file.read(min(size, self.size_bytes))

    def pieces(self, begin: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Yield a part of it, a megabyte at a time."""
        left = self.size_bytes - begin if size_bytes is None else size_bytes
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset_bytes + begin)
            while left:
                piece = file.read(min(left, READ_BYTES))
                if not piece:
                    raise ImportRefused(f"{self.file_name} is shorter than it was. Upload it again.")
                left -= len(piece)
                yield piece


def to_json(files: Sequence[SourceFile], root: Path) -> list[dict[str, Any]]:
    """Return files as they are kept between stages: with paths relative to the data folder."""
    return [asdict(file) | {"path": str(file.path.relative_to(root))} for file in files]


def from_json(values: Sequence[Mapping[str, Any]], root: Path) -> list[SourceFile]:
    """Return files as `to_json` kept them."""
    return [replace(SourceFile(**value), path=root / value["path"]) for value in values]


def places_to_json(places: Places, root: Path) -> dict[str, Any]:
    """Return the places of weights as they are kept between stages: with paths relative to the data folder."""
    return {
        str(path.relative_to(root)): asdict(place) | {"path": str(place.path.relative_to(root))}
        for path, place in places.items()
    }


def places_from_json(values: Mapping[str, Any], root: Path) -> dict[Path, Place]:
    """Return places as `places_to_json` kept them."""
    return {root / path: replace(Place(**value), path=root / value["path"]) for path, value in values.items()}
