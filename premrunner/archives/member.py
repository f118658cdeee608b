"""One file in an archive: where its bytes lie, and how they are read without trusting what is said of them."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from premrunner.archives.errors import ArchiveRefused

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        name: Checked, with plain slashes.
        size_bytes: What it says it has; `pieces` holds it to that.
        offset_bytes: Where its bytes begin in the archive, packed or not.
        packed_bytes: How many those are.
        is_deflated: Whether they must be inflated; otherwise they are the file, in place.
        crc32: What it says; None where the format has none.
    """

    name: str
    size_bytes: int
    offset_bytes: int
    packed_bytes: int
    is_deflated: bool
    crc32: int | None

    def pieces(self, archive: Path) -> Iterator[bytes]:
        """Yield the file's bytes, a megabyte at a time; at the end all of them are proven.

        Raises:
            ArchiveRefused: They are damaged, or more or fewer than was said.
            OSError: The archive cannot be read.
        """
        checksum, count = 0, 0
        for piece in self._inflated(archive) if self.is_deflated else self._packed(archive):
            count += len(piece)
            if count > self.size_bytes:
                raise self._damaged(f"it has more than the {self.size_bytes} bytes it says")
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if count != self.size_bytes:
            raise self._damaged(f"it has {count} bytes and says {self.size_bytes}")
        if self.crc32 is not None and checksum != self.crc32:
            raise self._damaged("its checksum is wrong")

    def _packed(self, archive: Path) -> Iterator[bytes]:
        with archive.open("rb", buffering=0) as file:
            file.seek(self.offset_bytes)
            left = self.packed_bytes
            while left:
                piece = file.read(min(left, READ_BYTES))
                if not piece:
                    raise self._damaged("the archive ends in the middle of it")
                left -= len(piece)
                yield piece

    def _inflated(self, archive: Path) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._packed(archive):
                while packed:
                    if inflater.eof:
                        raise self._damaged("there are bytes behind its end")
                    yield inflater.decompress(packed, READ_BYTES)
                    packed = inflater.unconsumed_tail or inflater.unused_data
        except zlib.error as error:
            raise self._damaged("it cannot be inflated") from error
        if not inflater.eof:
            raise self._damaged("it ends too early")

    def _damaged(self, reason: str) -> ArchiveRefused:
        return ArchiveRefused(f"The archive's member {self.name[:100]!r} is damaged: {reason}. Upload it again.")
