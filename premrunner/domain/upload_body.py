"""Bytes on their way in, as the domain sees them: a source that pours, and what a form says beside."""

from dataclasses import dataclass
from typing import Protocol

from premrunner.net.native_threads import NativeThreads
from premrunner.net.pipes import Sink
from premrunner.storage.upload_spool import Spool

# An index of more digits is nobody's.
LARGEST_INDEX = 10**9


class Body(Protocol):
    """Bytes that a client sends."""

    @property
    def length_bytes(self) -> int | None:
        """How many there will be; None when only their end tells."""

    def pour(self, sink: Sink, threads: NativeThreads) -> None:
        """Give all of them to a sink.

        Raises:
            Cancelled: They ended early.
            UploadStalled: They stopped coming.
        """


@dataclass(frozen=True)
class ChunkAddress:
    """Which chunk the original's form carries.

    Attributes:
        total_chunks: How many there will be, as the client says; None when it does not.
    """

    upload_id: str
    index: int
    total_chunks: int | None = None


class FormChunk(Body, Protocol):
    """A chunk in a form, whose other fields may stand before it or behind."""

    def address(self) -> ChunkAddress | None:
        """Return what the fields that have come so far say; None while one is missing.

        Raises:
            InvalidRequest: A field makes no sense.
        """


class FormFile(Body, Protocol):
    """A whole file in a form.

    Attributes:
        file_name: As the client gave it.
        most_bytes: It has fewer bytes than this; None when the client does not say.
    """

    file_name: str
    most_bytes: int | None

    def model_name(self) -> str:
        """Return what the fields that have come so far call the model; empty while none does."""


class SpoolBody:
    """Bytes that have come already and wait in a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.length_bytes: int | None = spool.size_bytes

    def pour(self, sink: Sink, threads: NativeThreads) -> None:
        """Give all of them to a sink."""
        threads.run(self._spool.copy_to, sink)
