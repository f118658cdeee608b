"""A file is hashed behind its writer, and its beginning may come last."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from premrunner.weights import trailing_sha256
from premrunner.weights.mapped_sha256 import WINDOW_BYTES
from premrunner.weights.trailing_sha256 import TrailingSha256


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[bytes]]:
    with (tmp_path / "file").open("w+b", buffering=0) as file:
        yield file


def nothing() -> None:
    """Finish no head, and give nothing up."""


def test_the_digest_is_that_of_the_whole_file_with_the_head_that_came_last(file: IO[bytes]) -> None:
    is_known = threading.Event()

    def finish_head() -> None:
        assert is_known.wait(30)
        os.pwrite(file.fileno(), b"true", 0)

    pieces = [b"????", *(os.urandom(size) for size in (1, WINDOW_BYTES * 7 + 3, 0, 12, WINDOW_BYTES))]
    with TrailingSha256(file.fileno(), finish_head, nothing) as digest:
        for piece in pieces:
            file.write(piece)
            digest.advance(len(piece))
        is_known.set()
        found = digest.hexdigest()

    assert found == hashlib.sha256(b"true" + b"".join(pieces[1:])).hexdigest()


def test_the_final_head_never_comes_before_the_one_it_replaces(file: IO[bytes]) -> None:
    is_final = threading.Event()

    def finish_head() -> None:
        os.pwrite(file.fileno(), b"true", 0)
        is_final.set()

    with TrailingSha256(file.fileno(), finish_head, nothing) as digest:
        assert not is_final.wait(0.1)
        file.write(b"????")
        digest.advance(4)
        found = digest.hexdigest()

    assert found == hashlib.sha256(b"true").hexdigest()


def test_a_head_that_fails_stops_the_writer_and_is_not_given_up_in_silence(file: IO[bytes]) -> None:
    def finish_head() -> None:
        raise ValueError("no digest")

    with TrailingSha256(file.fileno(), finish_head, nothing) as digest:
        file.write(b"x")
        with pytest.raises(ValueError, match="no digest"):
            digest.hexdigest()
        with pytest.raises(ValueError, match="no digest"):
            digest.advance(1)


def test_a_writer_that_fails_does_not_wait_for_the_head(file: IO[bytes]) -> None:
    given_up = threading.Event()

    with (
        pytest.raises(OSError, match="full"),
        TrailingSha256(file.fileno(), lambda: given_up.wait(30) or None, given_up.set),
    ):
        raise OSError("full")

    assert given_up.is_set()


def test_a_writer_that_is_far_ahead_waits(file: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trailing_sha256, "MOST_AHEAD_BYTES", 10)
    is_known = threading.Event()
    ahead: list[int] = []

    def write() -> None:
        with TrailingSha256(file.fileno(), lambda: is_known.wait(30) or None, nothing) as digest:
            for _ in range(4):
                file.write(b"12345678")
                ahead.append(8)
                digest.advance(8)
            digest.hexdigest()

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(0.3)
    assert len(ahead) == 2
    is_known.set()
    writer.join(30)
    assert len(ahead) == 4
