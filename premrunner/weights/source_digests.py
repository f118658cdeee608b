"""SHA-256 of source files, each begun as soon as it is known where the weights lie.

One processor hashes 1.7 GB a second, so a conversion waits for it more than for anything else. Nothing that takes
long to load is imported here: a command hashes already while it loads numpy, reads the headers and plans the file.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from premrunner.errors import Cancelled
from premrunner.weights import mapped_sha256
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import place_of

# From this size on a file is hashed in a process of its own.
PROCESS_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


@dataclass
class _Hashing:
    """One file's digest in the making."""

    stamp: tuple[int, int, int]
    digest: "Future[str]" = field(default_factory=Future)
    check: Callable[[], None] | None = None
    is_wanted: bool = True


class SourceDigests:
    """Digests of files, computed in threads and processes of their own until the block ends.

    Args:
        files: To read through; closed at the end of the block.
    """

    def __init__(self, files: OpenFiles) -> None:
        self.files = files
        # As many threads look at the values meanwhile (``survey``).
        self._pool = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 1) // 2), thread_name_prefix="sources")
        self._hashings: dict[Path, _Hashing] = {}

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

    def follow(self, paths: Iterable[Path], check: Callable[[], None]) -> None:
        """Hash just these files from now on.

        Args:
            paths: What was begun of others is given up.
            check: Asked often, from several threads; raises to stop.
        """
        wanted = list(paths)
        self._give_up(self._hashings.keys() - set(wanted))
        self.begin(wanted)
        for path in wanted:
            self._hashings[path].check = check

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
        size_bytes = self.files.size_bytes(path)
        if size_bytes >= PROCESS_BYTES and (digest := self._hash_in_a_process(path, size_bytes, hashing)):
            return digest
        return self._hash_here(path, size_bytes, hashing)

    def _hash_in_a_process(self, path: Path, size_bytes: int, hashing: _Hashing) -> str | None:
        """Return the digest, or None if there is no such process: the file became shorter, or memory is short."""
        descriptor, offset_bytes = self.files.locate(path)
        command = [sys.executable, "-I", "-S", mapped_sha256.__file__, str(offset_bytes), str(size_bytes)]
        try:
            process = subprocess.Popen(
                command, stdin=descriptor, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            return None
        with process:
            try:
                done_bytes = 0
                for line in process.stdout or ():
                    if done_bytes == size_bytes:
                        return line.strip()
                    self._stop_on_demand(hashing)
                    self.files.hints.note(descriptor, offset_bytes + done_bytes, offset_bytes + int(line))
                    done_bytes = int(line)
            finally:
                process.kill()
        return None

    def _hash_here(self, path: Path, size_bytes: int, hashing: _Hashing) -> str:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(min(CHUNK_BYTES, size_bytes)))
        for place in range(0, size_bytes, CHUNK_BYTES):
            self._stop_on_demand(hashing)
            chunk = buffer[: size_bytes - place]
            self.files.read_into(path, place, chunk)
            digest.update(chunk)
        return digest.hexdigest()

    def _stop_on_demand(self, hashing: _Hashing) -> None:
        if not hashing.is_wanted:
            raise Cancelled("The file is not needed any more.")
        if hashing.check:
            hashing.check()
