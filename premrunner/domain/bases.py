"""The bases that are kept for adapters, as their owners see them."""

import logging
from collections.abc import Sequence

from premrunner.net.native_threads import NativeThreads
from premrunner.records import Base
from premrunner.storage.base_files import BaseFiles

logger = logging.getLogger(__name__)


class Bases:
    """Lists and deletes bases.

    Args:
        files: Where they are.
        threads: For what touches the disk.
    """

    def __init__(self, files: BaseFiles, threads: NativeThreads) -> None:
        self._files = files
        self._threads = threads

    def all(self) -> Sequence[Base]:
        """Return every base, oldest first."""
        return self._threads.run(self._files.all)

    def delete(self, base_id: str) -> int:
        """Delete a base and return the bytes that came free; models that were made with it stay as they are.

        Raises:
            BaseUnknown: There is none of that id.
        """
        freed = self._threads.run(self._files.remove, base_id)
        logger.info("Base deleted.", extra={"base_id": base_id})
        return freed
