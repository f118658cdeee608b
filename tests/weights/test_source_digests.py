"""The digests of sources are begun early, are right, and are given up when nobody wants them."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from premrunner.errors import Cancelled
from premrunner.weights import source_digests
from premrunner.weights.convert import convert
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.places import Place
from premrunner.weights.progress import Progress
from premrunner.weights.source_digests import CHUNK_BYTES, SourceDigests
from tests.conftest import BUSY_SECONDS

from .tiny_models import write_tiny_model


class HeldFiles(OpenFiles):
    """Files whose first read waits for a word."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on, self.reads = threading.Event(), threading.Event(), 0

    def read_into(self, path: Path, offset_bytes: int, target: memoryview) -> None:
        self.reads += 1
        self.begun.set()
        assert self.go_on.wait(10)
        super().read_into(path, offset_bytes, target)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(os.urandom(CHUNK_BYTES * 12 + 7))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model("llama", tmp_path / "model")


def go_on() -> None:
    """Let nobody stop it."""


@pytest.fixture(params=["here", "in a process"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files hashed in this process or, however small, in one of their own."""
    monkeypatch.setattr(source_digests, "PROCESS_BYTES", 0 if request.param == "in a process" else 10**18)


@pytest.mark.usefixtures("way")
def test_digests_are_those_of_the_files(large: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.touch()

    with SourceDigests(OpenFiles()) as digests:
        digests.begin([large])
        digests.follow([large, empty], go_on)
        found = [digests.of(large), digests.of(empty)]

    assert found == [hashlib.sha256(path.read_bytes()).hexdigest() for path in (large, empty)]


@pytest.mark.usefixtures("way")
def test_the_digest_of_a_file_in_an_archive_is_that_of_its_range(large: Path, tmp_path: Path) -> None:
    member = tmp_path / "inside" / "model.safetensors"
    files = OpenFiles({member: Place(large, 5, CHUNK_BYTES + 3)})

    with SourceDigests(files) as digests:
        digests.follow([member], go_on)
        found = digests.of(member)

    assert found == hashlib.sha256(large.read_bytes()[5 : 5 + CHUNK_BYTES + 3]).hexdigest()


def test_what_was_begun_and_is_not_wanted_is_given_up_within_a_chunk(large: Path) -> None:
    files = HeldFiles()

    with SourceDigests(files) as digests:
        digests.begin([large])
        assert files.begun.wait(10)
        digests.follow([], go_on)
        files.go_on.set()

    assert files.reads == 1


def test_a_refused_conversion_stops_the_hashing_at_once(large: Path, tmp_path: Path) -> None:
    files = HeldFiles()
    threads = threading.active_count()
    digests = SourceDigests(files)
    digests.begin([large])
    assert files.begun.wait(10)
    threading.Timer(0.2, files.go_on.set).start()

    with pytest.raises(WeightsInvalid, match=r"config\.json is missing"):
        convert(large.parent, tmp_path / "out.gguf", digests=digests)

    assert files.reads == 1
    assert threading.active_count() <= threads
    assert not (tmp_path / "out.gguf").exists()


def test_nobody_waits_for_a_digest_that_was_cancelled(large: Path) -> None:
    def refuse() -> None:
        raise Cancelled("Enough.")

    files = HeldFiles()
    with SourceDigests(files) as digests:
        digests.begin([large])
        assert files.begun.wait(10)
        digests.follow([large], refuse)
        files.go_on.set()

        with pytest.raises(Cancelled):
            digests.of(large)

    assert files.reads == 1


@pytest.fixture
def hollow(tmp_path: Path) -> Path:
    """Give a file that takes seconds to hash and no space."""
    path = tmp_path / "hollow.safetensors"
    path.touch()
    os.truncate(path, 16 * 1024**3)
    return path


def test_a_file_that_gets_shorter_while_it_is_mapped_is_refused(hollow: Path) -> None:
    with SourceDigests(OpenFiles()) as digests:
        has_begun = threading.Event()
        digests.follow([hollow], has_begun.set)
        assert has_begun.wait(30)
        os.truncate(hollow, 100)

        with pytest.raises(WeightsInvalid, match=r"hollow\.safetensors became shorter while it was read"):
            digests.of(hollow)


def test_the_process_of_a_digest_that_nobody_wants_ends_at_once(hollow: Path) -> None:
    with SourceDigests(OpenFiles()) as digests:
        has_begun = threading.Event()
        digests.follow([hollow], has_begun.set)
        assert has_begun.wait(30)
        ended = time.monotonic()

    assert time.monotonic() - ended < BUSY_SECONDS


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"{}"),
        lambda path: os.utime(path, ns=(0, 0)),
        lambda path: path.with_name("other").rename(path),
    ],
    ids=["written", "touched", "replaced"],
)
def test_a_file_that_changes_while_it_is_hashed_is_refused(change: Callable[[Path], None], large: Path) -> None:
    large.with_name("other").write_bytes(large.read_bytes())

    with SourceDigests(OpenFiles()) as digests:
        digests.follow([large], go_on)
        digests.of(large)
        change(large)

        with pytest.raises(WeightsInvalid, match=r"model\.safetensors changed while it was read"):
            digests.of(large)


def test_a_file_that_changes_while_the_gguf_is_written_leaves_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    def change(progress: Progress) -> None:
        if progress.stage == "writing":
            os.utime(folder / "model.safetensors", ns=(0, 0))

    with pytest.raises(WeightsInvalid, match=r"model\.safetensors changed while it was read"):
        convert(folder, tmp_path / "out" / "model.gguf", progress=change)

    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_hashes_before_it_loads_numpy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, premrunner.weights.command_line; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "premrunner.weights.source_digests" in loaded
    assert {"numpy", "gguf", "importlib.metadata"}.isdisjoint(loaded)
