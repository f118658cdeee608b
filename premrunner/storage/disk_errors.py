"""What the disk refuses, in our words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from premrunner.errors import DiskFull, StorageFailed

FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_errors() -> Iterator[None]:
    """Translate the faults of the disk inside the block.

    Raises:
        DiskFull: No space, or the account's quota is used up.
        StorageFailed: Anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull("The disk is full. What has arrived is kept; free some space and go on.") from error
        raise StorageFailed(f"The disk did not take it: {error.strerror or type(error).__name__}.") from error
