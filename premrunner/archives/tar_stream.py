"""The members of a tar, read front to back from a file or from what is being inflated.

``tarfile`` reads a header's extension of any length into memory. Understood are POSIX (ustar, pax) and GNU's long
names: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from premrunner.archives.errors import ArchiveRefused
from premrunner.archives.names import MEMBERS_MOST, DistinctNames, checked_name

BLOCK_BYTES = 512
# A name and a few numbers.
_EXTENSION_BYTES_MOST = 64 * 1024
_FILES, _FOLDER = (b"0", b"\0", b"7"), b"5"
_PAX, _GLOBAL_PAX, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_REFUSED = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in a tar.

    Attributes:
        offset_bytes: Where its bytes begin in the unpacked tar.
    """

    name: str
    size_bytes: int
    offset_bytes: int


class TarReader:
    """Walks over a tar; the caller takes each member's bytes from the stream before asking for the next.

    Args:
        stream: The tar, unpacked.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._names = DistinctNames()
        self.offset_bytes = 0

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes.

        Raises:
            ArchiveRefused: The tar ends before.
        """
        pieces, left = [], size
        while left:
            piece = self._stream.read(left)
            if not piece:
                raise _damaged("it ends too early")
            pieces.append(piece)
            left -= len(piece)
        self.offset_bytes += size
        return b"".join(pieces)

    def members(self) -> Iterator[TarMember]:
        """Yield each file; when asked for the next, exactly its bytes must have been taken.

        Raises:
            ArchiveRefused: It is damaged, or holds a link, a device, or a name that leads out or comes twice.
        """
        extension: dict[str, str] = {}
        for _ in range(MEMBERS_MOST):
            header = self.read(BLOCK_BYTES)
            if not any(header):
                return
            kind, size = header[156:157], _checked_size(header)
            if kind in (_PAX, _GLOBAL_PAX, _LONG_NAME, _LONG_LINK):
                extension |= self._extension(kind, size)
                continue
            member = _member(header, size, extension, self.offset_bytes)
            extension = {}
            if member is not None:
                self._names.add(member.name)
                yield member
                self._finish(member)
        raise ArchiveRefused(f"The tar has more than {MEMBERS_MOST} members, which is no model.")

    def _extension(self, kind: bytes, size: int) -> dict[str, str]:
        if size > _EXTENSION_BYTES_MOST:
            raise _damaged(f"a header's extension has {size} bytes")
        data = self.read(_padded(size))[:size]
        if kind == _LONG_NAME:
            return {"path": data.rstrip(b"\0").decode("utf-8", "replace")}
        return _pax_fields(data) if kind == _PAX else {}

    def _finish(self, member: TarMember) -> None:
        taken = self.offset_bytes - member.offset_bytes
        if taken != member.size_bytes:
            raise AssertionError(f"{taken} bytes were taken of a member of {member.size_bytes}")
        self.read(_padded(member.size_bytes) - member.size_bytes)


def _member(header: bytes, size: int, extension: dict[str, str], offset: int) -> TarMember | None:
    """Return the file that a header begins; None for a folder."""
    kind = header[156:157]
    prefix = _text(header[345:500]) if header[257:262] == b"ustar" and header[263:265] == b"00" else ""
    own_name = _text(header[:100])
    name = checked_name(extension.get("path") or (f"{prefix}/{own_name}" if prefix else own_name))
    if kind in _REFUSED or "GNU.sparse.major" in extension:
        what = _REFUSED.get(kind, "a sparse file")
        raise ArchiveRefused(f"The archive's member {name[:100]!r} is {what}. Pack the files themselves.")
    if kind == _FOLDER:
        return None
    if kind not in _FILES:
        raise ArchiveRefused(f"The archive's member {name[:100]!r} is of an unknown kind.")
    wide = extension.get("size", "")
    if wide:
        if not wide.isdecimal() or len(wide) > 18:
            raise _damaged(f"{name[:100]!r} has an impossible size")
        size = int(wide)
    return TarMember(name, size, offset)


def _checked_size(header: bytes) -> int:
    """Return a header's size, after its checksum was seen to be right."""
    expected = _octal(header[148:156])
    if sum(header[:148]) + 8 * 32 + sum(header[156:]) != expected:
        raise _damaged("a header's checksum is wrong")
    field = header[124:136]
    if field[0] == 0x80:  # GNU's binary numbers, for files past 8 GB.
        return int.from_bytes(field[4:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    text = field.strip(b"\0 ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise _damaged("a number in a header is none")
    return int(text, 8)


def _pax_fields(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while data:
        length_text, _, _ = data.partition(b" ")
        if not length_text.isdigit() or len(length_text) > 6 or not 4 < int(length_text) <= len(data):
            raise _damaged("a header's extension makes no sense")
        record, data = data[: int(length_text)], data[int(length_text) :]
        key, _, value = record[len(length_text) + 1 : -1].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return found


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _damaged(reason: str) -> ArchiveRefused:
    return ArchiveRefused(f"The tar is damaged: {reason}. Upload it again.")
