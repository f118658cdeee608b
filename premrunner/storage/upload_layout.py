"""Where each chunk of an upload lies: chunks are numbered through all files, and none spans two."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """One chunk's bytes.

    Attributes:
        index: Its number in the upload, from 0.
        file_index: Number of its file, from 0.
        offset_bytes: Where it begins in that file.
    """

    index: int
    file_index: int
    offset_bytes: int
    length_bytes: int


class ChunkLayout:
    """The chunks of an upload.

    Args:
        sizes: Bytes of each file; an empty file has no chunk.
        chunk_bytes: Size of every chunk but each file's last.

    Attributes:
        first_chunks: Number of each file's first chunk.
        total: Chunks in all.
    """

    def __init__(self, sizes: Sequence[int], chunk_bytes: int) -> None:
        self._sizes = sizes
        self._chunk_bytes = chunk_bytes
        self.first_chunks: list[int] = []
        self.total = 0
        for size in sizes:
            self.first_chunks.append(self.total)
            self.total += -(-size // chunk_bytes)

    def place(self, index: int) -> ChunkPlace:
        """Return where a chunk lies.

        Raises:
            IndexError: There is no such chunk.
        """
        if not 0 <= index < self.total:
            raise IndexError(index)
        file_index = bisect_right(self.first_chunks, index) - 1
        offset = (index - self.first_chunks[file_index]) * self._chunk_bytes
        return ChunkPlace(index, file_index, offset, min(self._chunk_bytes, self._sizes[file_index] - offset))
