"""What is wrong with an archive."""

from premrunner.errors import InvalidRequest


class ArchiveRefused(InvalidRequest):
    """The archive is damaged, dangerous, or of a kind that is not read; the message says which, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="files", code="archive_refused")
