"""Bring a file to the disk while it is still being written, so that the sync at its end has little left to do."""

import os

# The disk begins this soon. A sync every 64 MB from a thread of its own held up the writes beside it: it keeps the
# file locked while it waits.
_STEP_BYTES = 8 * 1024 * 1024


class WriteBack:
    """Has the disk begin to write whenever a file has grown enough, without waiting for it.

    Args:
        descriptor: The open file, still empty; its owner syncs it at the end, and learns there what went wrong.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = self._begun = 0

    def advance(self, size_bytes: int) -> None:
        """Count what was written at the file's end."""
        self._written += size_bytes
        fresh = self._written - self._begun
        # For pages that only memory holds Linux takes "not needed" to mean "write them"; 97 % stay cached.
        if fresh >= _STEP_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, self._begun, fresh, os.POSIX_FADV_DONTNEED)
            self._begun = self._written
