"""SHA-256 of source files, each begun as soon as it is known where the weights lie.

One thread hashes 1.9 GB a second at most, so a conversion waits for it more than for anything else. Nothing that takes
long to load is imported here: a command hashes already while it loads numpy, reads the headers and plans the file.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from premrunner.errors import Cancelled
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.hashing import BackgroundSha256
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import place_of

Advance = Callable[[int], None]


@dataclass
class _Hashing:
    """One file's digest in the making."""

    stamp: tuple[int, int, int]
    digest: "Future[str]" = field(default_factory=Future)
    hashed_bytes: int = 0
    advance: Advance | None = None
    is_wanted: bool = True


class SourceDigests:
    """Digests of files, computed in threads of their own until the block ends.

    Args:
        files: To read through; closed at the end of the block.
    """

    def __init__(self, files: OpenFiles) -> None:
        self.files = files
        # As many threads look at the values meanwhile (``survey``).
        self._pool = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 1) // 2), thread_name_prefix="sources")
        self._hashings: dict[Path, _Hashing] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "SourceDigests":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()
        self._pool.shutdown(cancel_futures=True)
        self.files.close()

    def begin(self, paths: Iterable[Path]) -> None:
        """Begin to hash files that are probably sources."""
        for path in paths:
            if path not in self._hashings:
                hashing = self._hashings[path] = _Hashing(self._stamp(path))
                hashing.digest = self._pool.submit(self._hash, path, hashing)

    def follow(self, paths: Iterable[Path], advance: Advance) -> None:
        """Hash just these files from now on.

        Args:
            paths: What was begun of others is given up.
            advance: Told of every byte that is hashed and of those that were already, from several threads; may raise
                to stop.
        """
        wanted = list(paths)
        self._give_up(self._hashings.keys() - set(wanted))
        self.begin(wanted)
        for path in wanted:
            hashing = self._hashings[path]
            with self._lock:
                hashing.advance, hashed_bytes = advance, hashing.hashed_bytes
            advance(hashed_bytes)

    def of(self, path: Path) -> str:
        """Wait for the digest of a file that is followed, in hexadecimal.

        Raises:
            WeightsInvalid: The file was written to meanwhile.
        """
        digest = self._hashings[path].digest.result()
        self._refuse_if_changed(path)
        return digest

    def refuse_changed(self) -> None:
        """Return if every file that is followed is still the one that was hashed.

        Raises:
            WeightsInvalid: One is not.
        """
        for path, hashing in self._hashings.items():
            if hashing.is_wanted:
                self._refuse_if_changed(path)

    def give_up(self) -> None:
        """Hash no more; whoever waits for a digest waits no longer."""
        self._give_up(self._hashings)

    def _refuse_if_changed(self, path: Path) -> None:
        if self._stamp(path) != self._hashings[path].stamp:
            raise WeightsInvalid(
                f"{path.name} changed while it was read. Convert again once nothing writes to it.", file_name=path.name
            )

    def _give_up(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self._hashings[path].is_wanted = False
            self._hashings[path].digest.cancel()

    def _stamp(self, path: Path) -> tuple[int, int, int]:
        """Say which file this is, and when it was last written to."""
        status = place_of(path, self.files.places).path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _hash(self, path: Path, hashing: _Hashing) -> str:
        with BackgroundSha256() as digest:
            for count in digest.update(partial(self.files.read_into, path), 0, self.files.size_bytes(path)):
                if not hashing.is_wanted:
                    raise Cancelled("The file is not needed any more.")
                with self._lock:
                    hashing.hashed_bytes += count
                    advance = hashing.advance
                if advance:
                    advance(count)
            return digest.hexdigest()
