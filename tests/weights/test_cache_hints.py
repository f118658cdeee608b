"""What a conversion tells the system's cache about its sources."""

import os
from pathlib import Path

import pytest

from premrunner.weights import cache_hints
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import Place

WINDOW = 4096


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Give a list of what the system is told: offset, length, advice."""
    told: list[tuple[int, int, int]] = []
    monkeypatch.setattr(cache_hints, "WINDOW_BYTES", WINDOW)
    monkeypatch.setattr(os, "posix_fadvise", lambda _, *advice: told.append(advice))
    return told


def spent(told: list[tuple[int, int, int]]) -> list[int]:
    return sorted(offset for offset, size, advice in told if advice == os.POSIX_FADV_DONTNEED and size == WINDOW)


def expected(told: list[tuple[int, int, int]]) -> list[int]:
    return sorted({offset for offset, size, advice in told if advice == os.POSIX_FADV_WILLNEED and size == WINDOW})


def read(files: OpenFiles, path: Path, begin: int, end: int, step: int) -> None:
    for place in range(begin, end, step):
        files.read_into(path, place, memoryview(bytearray(min(step, end - place))))


def test_what_was_hashed_looked_at_and_converted_leaves_the_cache(tmp_path: Path, told: list) -> None:
    path, files = tmp_path / "model.safetensors", OpenFiles()
    path.write_bytes(bytes(3 * WINDOW))

    read(files, path, 0, 3 * WINDOW, 1000)
    read(files, path, 0, 3 * WINDOW, 3 * WINDOW)
    assert spent(told) == []

    read(files, path, WINDOW - 1, 3 * WINDOW, 77)  # As a header in front of the values is not converted.
    assert spent(told) == [WINDOW, 2 * WINDOW]
    files.close()


def test_what_comes_next_is_fetched_before_it_is_read(tmp_path: Path, told: list) -> None:
    path, files = tmp_path / "model.safetensors", OpenFiles()
    path.write_bytes(bytes(3 * WINDOW))

    read(files, path, 10, WINDOW, 1000)
    assert expected(told) == []

    read(files, path, WINDOW, WINDOW + 1, 1)
    assert expected(told) == [2 * WINDOW]
    files.close()


def test_files_in_one_archive_share_its_windows(tmp_path: Path, told: list) -> None:
    archive = tmp_path / "model.zip"
    archive.write_bytes(bytes(2 * WINDOW))
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    files = OpenFiles({first: Place(archive, 0, 1000), second: Place(archive, 1000, 2 * WINDOW - 1000)})

    for _ in range(cache_hints.READINGS):
        read(files, second, 0, 2 * WINDOW - 1000, 500)
    assert spent(told) == [WINDOW]

    for _ in range(cache_hints.READINGS):
        read(files, first, 0, 1000, 500)
    assert spent(told) == [0, WINDOW]
    files.close()
