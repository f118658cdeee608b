"""SHA-256 over the pages that the system's cache holds of a file; as a program, over its standard input.

Read, every byte would be copied first, which takes half as long as to hash it. But whoever shortens a file that is
mapped kills the process: a file of others is hashed in a process that may die (``SourceDigests``), and that shares
Python's lock with nobody, either. Imports nothing of PremRunner, so that it starts in some ten milliseconds.
"""

import hashlib
import mmap
import sys
from typing import Any

# Mapped at a time; counts as memory in use.
WINDOW_BYTES = 8 * 1024 * 1024


def update(digest: Any, descriptor: int, begin: int, end: int) -> None:
    """Add a stretch of an open file to a digest.

    Raises:
        ValueError: The file does not go that far.
    """
    page = begin - begin % mmap.ALLOCATIONGRANULARITY
    with (
        mmap.mmap(descriptor, end - page, access=mmap.ACCESS_READ, offset=page) as pages,
        memoryview(pages)[begin - page :] as stretch,
    ):
        digest.update(stretch)


def main() -> None:
    """Hash a range of standard input: say after each window how far it is, at last the digest in hexadecimal."""
    begin, size_bytes = int(sys.argv[1]), int(sys.argv[2])
    digest = hashlib.sha256()
    for place in range(0, size_bytes, WINDOW_BYTES):
        end = min(place + WINDOW_BYTES, size_bytes)
        update(digest, sys.stdin.fileno(), begin + place, begin + end)
        sys.stdout.write(f"{end}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{digest.hexdigest()}\n")


if __name__ == "__main__":
    main()
