"""A GGUF as the engine shall have it, read from wherever its parts lie; nothing is written for it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from premrunner.domain.imports.gguf_choice import GgufFile
from premrunner.domain.imports.material import SourceFile
from premrunner.weights.gguf_layout import GgufLayout, lay_out


@dataclass(frozen=True)
class GgufStream:
    """Bytes of a whole GGUF.

    Attributes:
        parts: The files they come from.
        layout: How; None for a lone file as it is.
    """

    parts: Sequence[SourceFile]
    layout: GgufLayout | None

    @property
    def size_bytes(self) -> int:
        """How many they are."""
        return self.layout.size_bytes if self.layout else self.parts[0].size_bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield them, a megabyte at a time."""
        if self.layout is None:
            yield from self.parts[0].pieces()
            return
        yield self.layout.head
        for span in self.layout.spans:
            yield from self.parts[span.part].pieces(span.offset_bytes, span.size_bytes)
            if span.padding_bytes:
                yield bytes(span.padding_bytes)


def laid_out(files: Sequence[GgufFile], template: str) -> GgufStream:
    """Return parts joined, keys in the order that Ollama keeps, and the chat template replaced if one is given."""
    parts = [found.file for found in files]

    def read(part: int, begin: int, size: int) -> bytes:
        return b"".join(parts[part].pieces(begin, size))

    # Places in a header count from where its own file begins.
    return GgufStream(parts, lay_out([found.header for found in files], read, template=template))


class Body:
    """An iterator of bytes as something to read from, which tells how far it is.

    Args:
        pieces: The bytes.
        advance: Told the bytes that were read; may raise to stop.
    """

    def __init__(self, pieces: Iterator[bytes], advance: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._advance = advance
        self._rest = memoryview(b"")
        self._done = 0

    def read(self, size: int = 1024 * 1024, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = bytes(self._rest[:size]), self._rest[size:]
        self._done += len(taken)
        self._advance(self._done)
        return taken
