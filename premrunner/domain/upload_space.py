"""How much disk an upload needs until its model answers, reckoned before a byte is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from premrunner.errors import DiskFull

GIGABYTE = 10**9


@dataclass(frozen=True)
class SpaceNeed:
    """What will lie on the disk at the same time.

    Attributes:
        upload_bytes: What is sent.
        conversion_bytes: What is unpacked from it, or converted.
        engine_bytes: The copy that the engine keeps.
    """

    upload_bytes: int
    conversion_bytes: int
    engine_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.upload_bytes + self.conversion_bytes + self.engine_bytes


def space_need(paths: Sequence[str], size_bytes: int) -> SpaceNeed:
    """Return what an upload needs.

    A GGUF goes to the engine as it is. Weights are converted to a GGUF of about their size; of an archive the same is
    assumed, as weights hardly shrink.
    """
    is_gguf = all(path.lower().endswith(".gguf") for path in paths)
    return SpaceNeed(size_bytes, 0 if is_gguf else size_bytes, size_bytes)


def require_space(need: SpaceNeed, free_bytes: int) -> None:
    """Return if there is room.

    Raises:
        DiskFull: There is not; it says how much is needed for what.
    """
    if need.total_bytes > free_bytes:
        raise DiskFull(
            f"This needs {gigabytes(need.total_bytes)} of disk: {gigabytes(need.upload_bytes)} for the upload, "
            f"{gigabytes(need.conversion_bytes)} to convert it and {gigabytes(need.engine_bytes)} for the engine's "
            f"copy; {gigabytes(free_bytes)} are free. Free {gigabytes(need.total_bytes - free_bytes)} and try again."
        )


def gigabytes(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / GIGABYTE:.2f} GB"
