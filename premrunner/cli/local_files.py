"""The files that are sent, and parts of them as bodies of requests."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from premrunner.cli.meter import Meter

READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class LocalFile:
    """A file to send.

    Attributes:
        name: What the server calls it: its name, with its folders below the one that is sent.
        source: Where it is.
        size_bytes: How large it was when it was found.
    """

    name: str
    source: Path
    size_bytes: int


def find_files(target: Path) -> Sequence[LocalFile]:
    """Return the file, or every file of a folder but the hidden ones."""
    target = target.absolute()
    if target.is_file():
        return [LocalFile(target.name, target, target.stat().st_size)]
    found = []
    for path in sorted(target.rglob("*")):
        inside = path.relative_to(target)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            found.append(LocalFile(f"{target.name}/{inside.as_posix()}", path, path.stat().st_size))
    return found


class FileSlice:
    """A part of a file as a request's body, which can be sent again."""

    def __init__(self, source: Path, offset_bytes: int, length_bytes: int, meter: Meter) -> None:
        self._source = source
        self._offset = offset_bytes
        self._length = length_bytes
        self._meter = meter
        self.sent_bytes = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        with self._source.open("rb") as file:
            file.seek(self._offset)
            while self.sent_bytes < self._length and (
                data := file.read(min(READ_BYTES, self._length - self.sent_bytes))
            ):
                yield data
                self.sent_bytes += len(data)
                self._meter.add(len(data))

    def take_back(self) -> None:
        """Count what was sent as not sent: the server did not take it."""
        self._meter.add(-self.sent_bytes)
        self.sent_bytes = 0


def fingerprint(files: Sequence[LocalFile], meter: Meter) -> str:
    """Return the sha256 of a file, or of several as the server reckons it (docs/uploads.md)."""
    digests = {}
    for local in files:
        digest = hashlib.sha256()
        for data in FileSlice(local.source, 0, local.size_bytes, meter):
            digest.update(data)
        digests[local.name] = digest.hexdigest()
    if len(files) == 1:
        return digests[files[0].name]
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()
