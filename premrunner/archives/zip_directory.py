"""The members of a ZIP, from its directory, which is read and believed only after it was checked in itself.

``zipfile`` reads a directory of any length into memory and takes names, links and overlaps as they come.
Format: PKWARE's APPNOTE 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from premrunner.archives.errors import ArchiveRefused
from premrunner.archives.member import Member
from premrunner.archives.names import MEMBERS_MOST, DistinctNames, checked_name

# As many entries as there may be, with names of 1 kB, comments and extra fields.
DIRECTORY_BYTES_MOST = 8 * 1024 * 1024

_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 65535
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_EXTRA = 1
_STORED, _DEFLATED = 0, 8
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 99: "AES encryption"}
_ENCRYPTED, _STRONGLY_ENCRYPTED, _MASKED, _UTF8 = 1 << 0, 1 << 6, 1 << 13, 1 << 11
_MADE_ON_UNIX = (3, 19)  # Unix, macOS.


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the directory lies."""

    count: int
    offset_bytes: int
    size_bytes: int


def read_zip(archive: Path, go_on: Callable[[], None] = lambda: None) -> Sequence[Member]:
    """Return the files of a ZIP, in the order of their bytes; folders are left out.

    Args:
        archive: The ZIP.
        go_on: Called for each member; may raise to stop.

    Raises:
        ArchiveRefused: It is damaged, or has something that no honest tool packs.
        OSError: It cannot be read.
    """
    with archive.open("rb") as file:
        directory = _find_directory(file)
        members = sorted(_entries(file, directory), key=lambda member: member.offset_bytes)
        placed, names = [], DistinctNames()
        for member in members:
            go_on()
            placed.append(_placed(file, member))
            names.add(member.name)
        _check_apart(members, placed, directory.offset_bytes)
    return [member for member in placed if not member.name.endswith("/")]


def _find_directory(file: BinaryIO) -> _Directory:
    size = file.seek(0, 2)
    tail_bytes = min(size, _END.size + _LONGEST_COMMENT)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    place = tail.rfind(b"PK\5\6")
    while place >= 0 and not _ends_there(tail, place):
        place = tail.rfind(b"PK\5\6", 0, place)
    if place < 0:
        raise _damaged("it has no directory at its end, so it was cut off while it was copied")
    _, disk, first_disk, _, count, length, offset, _ = _END.unpack_from(tail, place)
    end = size - tail_bytes + place
    if _FULL_16 in (disk, count) or _FULL_32 in (length, offset):
        count, length, offset, end = _read_end_64(file, end)
    elif disk or first_disk:
        raise ArchiveRefused("The ZIP is one of several parts. Pack it again as one file.")
    if count > MEMBERS_MOST or length > DIRECTORY_BYTES_MOST:
        raise ArchiveRefused(f"The ZIP has {count} members; more than {MEMBERS_MOST} are no model.")
    if offset + length != end:
        raise _damaged("its directory is not where it says")
    return _Directory(count, offset, length)


def _ends_there(tail: bytes, place: int) -> bool:
    return len(tail) - place >= _END.size and _END.unpack_from(tail, place)[7] == len(tail) - place - _END.size


def _read_end_64(file: BinaryIO, end: int) -> tuple[int, int, int, int]:
    try:
        file.seek(end - _LOCATOR_64.size)
        magic, _, place, disks = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
        file.seek(place)
        fields = _END_64.unpack(file.read(_END_64.size))
    except (OSError, ValueError, struct.error, OverflowError) as error:
        raise _damaged("its directory cannot be found") from error
    if magic != b"PK\6\7" or fields[0] != b"PK\6\6" or disks > 1 or fields[4] or fields[5]:
        raise _damaged("its directory cannot be found")
    return fields[7], fields[8], fields[9], place


def _entries(file: BinaryIO, directory: _Directory) -> Iterator[Member]:
    file.seek(directory.offset_bytes)
    data, at = memoryview(file.read(directory.size_bytes)), 0
    for _ in range(directory.count):
        if len(data) - at < _ENTRY.size or bytes(data[at : at + 4]) != b"PK\1\2":
            raise _damaged("its directory ends too early")
        fields = _ENTRY.unpack_from(data, at)
        name_at = at + _ENTRY.size
        extra_at = name_at + fields[10]
        at = extra_at + fields[11] + fields[12]
        if at > len(data):
            raise _damaged("its directory ends too early")
        yield _entry(fields, bytes(data[name_at:extra_at]), data[extra_at : extra_at + fields[11]])
    if at != len(data):
        raise _damaged("its directory has more entries than it says")


def _entry(fields: tuple[int, ...], raw_name: bytes, extra: memoryview) -> Member:
    _, made_by, _, flags, method, _, _, crc32, packed, size = fields[:10]
    external, offset = fields[15], fields[16]
    try:
        text = raw_name.decode("utf-8" if flags & _UTF8 else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw_name.decode("cp437")
    is_folder = text.endswith(("/", "\\"))
    name = checked_name(text)
    if flags & (_ENCRYPTED | _STRONGLY_ENCRYPTED | _MASKED) or method == 99:
        raise ArchiveRefused(f"The ZIP's member {name[:100]!r} is encrypted. Pack it again without a password.")
    if made_by >> 8 in _MADE_ON_UNIX:
        _check_kind(name, external >> 16)
    if method not in (_STORED, _DEFLATED):
        kind = _METHODS.get(method, f"method {method}")
        raise ArchiveRefused(
            f"The ZIP's member {name[:100]!r} is packed with {kind}. Pack it with Deflate, or store it."
        )
    size, packed, offset = _wide(extra, size, packed, offset)
    if method == _STORED and size != packed:
        raise _damaged(f"{name[:100]!r} is stored, and its two sizes differ")
    if is_folder and size:
        raise _damaged(f"the folder {name[:100]!r} has bytes")
    return Member(f"{name}/" if is_folder else name, size, offset, packed, method == _DEFLATED, crc32)


def _check_kind(name: str, mode: int) -> None:
    kind = stat.S_IFMT(mode)
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):
        return
    what = "a link" if kind == stat.S_IFLNK else "a device or a pipe"
    raise ArchiveRefused(f"The archive's member {name[:100]!r} is {what}. Pack the files themselves.")


def _wide(extra: memoryview, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return the three numbers, those that did not fit taken from ZIP64's field."""
    if _FULL_32 not in (size, packed, offset):
        return size, packed, offset
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64_EXTRA:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            try:
                size = next(numbers) if size == _FULL_32 else size
                packed = next(numbers) if packed == _FULL_32 else packed
                offset = next(numbers) if offset == _FULL_32 else offset
            except StopIteration as error:
                raise _damaged("a size is missing") from error
            return size, packed, offset
        at += 4 + length
    return size, packed, offset


def _placed(file: BinaryIO, member: Member) -> Member:
    """Return a member with the place of its bytes, which only the header before them tells."""
    file.seek(member.offset_bytes)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
        raise _damaged(f"{member.name[:100]!r} is not where the directory says")
    fields = _LOCAL.unpack(header)
    if fields[3] not in (_STORED, _DEFLATED) or (fields[3] == _DEFLATED) is not member.is_deflated:
        raise _damaged(f"{member.name[:100]!r} is packed in another way than the directory says")
    begin = member.offset_bytes + _LOCAL.size + fields[9] + fields[10]
    return Member(member.name, member.size_bytes, begin, member.packed_bytes, member.is_deflated, member.crc32)


def _check_apart(listed: Sequence[Member], placed: Sequence[Member], limit: int) -> None:
    """Check that no byte serves two members: overlaps make a small ZIP a huge one."""
    if not placed:
        return
    ends = [member.offset_bytes + member.packed_bytes for member in placed]
    begins = [member.offset_bytes for member in listed[1:]]
    for member, end, following in zip(placed, ends, [*begins, limit], strict=True):
        if end > following:
            raise ArchiveRefused(f"The ZIP's member {member.name[:100]!r} overlaps another. No honest tool packs so.")


def _damaged(reason: str) -> ArchiveRefused:
    return ArchiveRefused(f"The ZIP is damaged: {reason}. Upload it again.")
