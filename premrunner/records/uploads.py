"""Uploads and their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

UploadState = Literal["open", "complete"]


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that bytes should have.

    Attributes:
        algorithm: As ``hashlib`` names it.
        value: The digest itself.
    """

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One file of an upload.

    Attributes:
        path: Its name, with its folders for one of a dropped folder; never a path of ours.
        sha256: Hex digest, known when the upload is complete.
    """

    path: str
    size_bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """Bytes that are arriving or have arrived.

    Attributes:
        id: Its key, and later that of the model made from it.
        name: What its owner calls the model.
        files: At least one.
        chunk_bytes: Size of every chunk but each file's last; None until the first chunk shows it.
        expected_sha256: What the client says it will be; empty when it does not.
        sha256: What it is, once complete: of a lone file, or of the list of all (see ``docs/uploads.md``).
        tus_metadata: ``Upload-Metadata`` as a tus client sent it; None for an upload by chunks.
    """

    id: str
    name: str
    files: Sequence[UploadFile]
    chunk_bytes: int | None
    state: UploadState
    created_at: datetime
    completed_at: datetime | None = None
    expected_sha256: str = ""
    sha256: str = ""
    tus_metadata: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def is_tus(self) -> bool:
        """Whether it grows from its start, by tus, and not by numbered chunks."""
        return self.tus_metadata is not None
