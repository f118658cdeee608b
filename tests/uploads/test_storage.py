import errno
import hashlib
import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premrunner.domain.upload_completion import index_ranges
from premrunner.errors import DiskFull, UploadConflict, UploadNotFound
from premrunner.storage import upload_files, upload_ledger
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_hasher import list_digest
from premrunner.storage.upload_layout import ChunkLayout
from premrunner.storage.upload_ledger import ON_DISK, Ledger, try_lock
from premrunner.storage.upload_spool import SPARE_BYTES, SpareFiles, Spool


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8), st.integers(1, 100))
def test_chunks_cover_every_byte_of_every_file_once(sizes, chunk_bytes):
    layout = ChunkLayout(sizes, chunk_bytes)
    covered = [[0] * size for size in sizes]
    for index in range(layout.total):
        place = layout.place(index)
        assert 0 < place.length_bytes <= chunk_bytes
        for offset in range(place.offset_bytes, place.offset_bytes + place.length_bytes):
            covered[place.file_index][offset] += 1
    assert all(count == 1 for file in covered for count in file)


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_exactly_their_indexes(indexes):
    ranges = index_ranges(sorted(indexes))
    assert [index for first, last in ranges for index in range(first, last + 1)] == sorted(indexes)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(ranges))


@pytest.mark.parametrize("upload_id", ["../../etc", "", "incoming", "A" * 24, "0" * 23, "0" * 25, "0" * 23 + "/"])
def test_only_an_id_of_ours_becomes_a_path(tmp_path, upload_id):
    with pytest.raises(UploadNotFound):
        DataPaths(tmp_path).upload(upload_id)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger", tmp_path)
    yield ledger
    ledger.close()


def test_a_chunk_counts_only_when_it_is_committed(ledger):
    slot = ledger.claim(3)
    assert [other.received_bytes for other in ledger.read_all(5)] == [0] * 5
    ledger.commit(3, slot.writer, 100)
    assert [other.received_bytes for other in ledger.read_all(5)] == [0, 0, 0, 100, 0]


def test_whoever_comes_last_writes_and_the_other_notices(ledger):
    first, second = ledger.claim(0), ledger.claim(0)
    assert not ledger.is_writer(0, first.writer)
    with pytest.raises(UploadConflict):
        ledger.commit(0, first.writer, 10)
    ledger.commit(0, second.writer, 10)


def test_a_repeated_chunk_does_not_count_while_it_is_written_and_has_another_version(ledger):
    first = ledger.claim(0)
    ledger.commit(0, first.writer, 10)
    second = ledger.claim(0)
    assert ledger.read(0).received_bytes == 0
    assert second.version != first.version


def test_what_grows_keeps_its_bytes_and_version_over_claims(ledger):
    first = ledger.claim(0, keep=True)
    ledger.commit(0, first.writer, 10)
    second = ledger.claim(0, keep=True)
    assert (second.received_bytes, second.version) == (10, first.version)


def test_what_is_in_memory_can_be_read_here_until_the_machine_starts_anew(ledger, monkeypatch):
    writer = ledger.claim(0).writer
    ledger.commit(0, writer, 10, is_on_disk=False)
    assert (ledger.read(0).received_bytes, ledger.read(0).is_in_memory) == (10, True)
    monkeypatch.setattr(upload_ledger, "this_boot", lambda: 12345)
    assert (ledger.read(0).received_bytes, ledger.read(0).is_elsewhere) == (0, True)


def test_what_was_in_memory_is_on_disk_or_lost(ledger):
    for index in range(3):
        ledger.commit(index, ledger.claim(index).writer, 10, is_on_disk=False)
    ledger.settle(0, ledger.read(0))
    ledger.lose_what_is_in_memory(3)
    assert [(slot.received_bytes, slot.boot) for slot in ledger.read_all(3)] == [(10, ON_DISK), *[(0, ON_DISK)] * 2]


def test_what_came_while_the_disk_was_asked_is_not_settled(ledger):
    ledger.commit(0, ledger.claim(0).writer, 10, is_on_disk=False)
    before = ledger.read(0)
    ledger.commit(0, ledger.claim(0).writer, 10, is_on_disk=False)
    ledger.settle(0, before)
    assert ledger.read(0).is_in_memory


def test_nobody_can_write_while_the_upload_is_completed(ledger, tmp_path):
    lock = try_lock(tmp_path)
    with pytest.raises(UploadConflict, match="being completed"):
        ledger.claim(0)
    os.close(lock)
    ledger.claim(0)


def test_many_writers_of_many_chunks_lose_nothing(tmp_path):
    def write(number: int) -> None:
        ledger = Ledger(tmp_path / "ledger", tmp_path)
        for index in range(number, 200, 4):
            ledger.commit(index, ledger.claim(index).writer, index + 1)
        ledger.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = Ledger(tmp_path / "ledger", tmp_path)
    assert [slot.received_bytes for slot in ledger.read_all(200)] == list(range(1, 201))
    ledger.close()


def test_a_file_that_does_not_fit_gives_back_what_it_had_taken(tmp_path, monkeypatch):
    def refuse(descriptor: int, _offset: int, size: int) -> None:
        os.ftruncate(descriptor, size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upload_files.os, "posix_fallocate", refuse)
    with pytest.raises(DiskFull), upload_files.disk_errors():
        upload_files._open_allocated(tmp_path / "0", 1000)
    assert (tmp_path / "0").stat().st_size == 0


def test_the_digest_of_a_list_is_what_sha256sum_prints_hashed():
    digests = [hashlib.sha256(text).hexdigest() for text in (b"two", b"one")]
    lines = f"{digests[1]}  a/config.json\n{digests[0]}  b.safetensors\n"
    assert list_digest(["b.safetensors", "a/config.json"], digests) == hashlib.sha256(lines.encode()).hexdigest()


class Collected:
    """A sink that must see its bytes."""

    write_from = None

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += bytes(data)


def test_a_spool_whose_file_was_used_before_holds_only_its_own_bytes(tmp_path):
    spares = SpareFiles(tmp_path)
    for sent in (b"a long one", b"short", b"", b"longer than all"):
        spool, sink = Spool(spares, 100), Collected()
        spool.write(memoryview(sent))
        spool.copy_to(sink)
        spool.close()
        assert sink.data == sent
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_not_kept_for_the_next_spool(tmp_path):
    spares = SpareFiles(tmp_path)
    small, large = spares.take(), spares.take()
    spares.give_back(large, SPARE_BYTES + 1)
    spares.give_back(small, SPARE_BYTES)
    assert large.closed
    assert spares.take() is small
    small.close()
