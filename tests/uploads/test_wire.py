"""Uploads through gunicorn and gevent, as they arrive, break off and come again."""

import base64
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from conftest import BUSY_SECONDS
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from tests.uploads.conftest import running_site
from tests.uploads.sending import MIB, Site, answer_of, form_body, noise, status_of


def wait_until(is_true, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def send_half(site: Site, upload: str, index: int, data: bytes):
    """Begin a chunk, send half of it, and return when the server has written some of that."""
    connection = site.open_put(upload, index, len(data))
    connection.sendall(data[: len(data) // 2])
    wait_until(lambda: site.stored(upload).exists())
    time.sleep(0.2)
    return connection


def test_raw_chunks_in_parallel_make_the_file(site):
    data = noise(10 * MIB + 3)
    upload = site.start(len(data), chunkSize=MIB)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda index: site.put(upload, index, data[index * MIB : (index + 1) * MIB]), range(11))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert site.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200
    assert site.stored(upload).read_bytes() == data


@pytest.fixture(scope="module", params=["splice", "read"])
def mover(request, shared_site, tmp_path_factory):
    """A site on a system that moves bytes past our memory, and one on a system that cannot."""
    if request.param == "splice":
        yield shared_site
    else:
        with running_site(tmp_path_factory.mktemp("read") / "data", WITHOUT_SPLICE="1") as site:
            yield site


@pytest.mark.parametrize("file_at", [None, 0, 3])
def test_bytes_arrive_whole_however_they_are_moved_and_however_unevenly_they_come(mover, file_at):
    data = noise(7 * MIB + 5)
    upload = mover.start(len(data), chunkSize=4 * MIB)
    for index in (1, 0):
        body = piece = data[index * 4 * MIB : (index + 1) * 4 * MIB]
        line, kind = f"PUT /v1/chunked-upload/{upload}/chunks/{index} HTTP/1.1", "application/octet-stream"
        if file_at is not None:
            fields = {"modelId": upload, "chunkIndex": index, "totalChunks": 2}
            body = form_body(fields, "chunk", piece, file_at=file_at)
            line, kind = "POST /v1/chunked-upload/chunk HTTP/1.1", "multipart/form-data; boundary=edge"
        with mover.open(line, f"Content-Type: {kind}", f"Content-Length: {len(body)}") as connection:
            begin = 0
            for size in (1, 70_000, MIB + 1, 3, len(body)):
                connection.sendall(body[begin : begin + size])
                begin += size
                time.sleep(0.05)
            assert status_of(connection) == 200
    assert mover.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200


def test_a_digest_is_checked_however_bytes_are_moved(mover):
    data = noise(2 * MIB)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    upload = mover.start(len(data), chunkSize=2 * MIB)
    assert mover.put(upload, 0, noise(2 * MIB), **{"Content-Digest": f"sha-256=:{digest}:"}).status_code == 400
    assert mover.put(upload, 0, data, **{"Content-Digest": f"sha-256=:{digest}:"}).status_code == 200


def test_a_client_that_is_slow_but_steady_gets_through(site):
    data = noise(MIB)
    upload = site.start(len(data), chunkSize=MIB)
    with site.open_put(upload, 0, len(data)) as connection:
        for begin in range(0, len(data), 32 * 1024):  # Longer than the site's patience with one that is silent.
            connection.sendall(data[begin : begin + 32 * 1024])
            time.sleep(0.1)
        assert status_of(connection) == 200


def test_fields_behind_a_whole_file_that_are_too_long_do_not_become_part_of_it(site):
    for length, status in ((1000, 200), (100_000, 400)):
        body = form_body({"name": "n", "note": "x" * length}, "file", noise(MIB), file_at=0, name="model.gguf")
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        answer = site.request("POST", "/v1/models/upload", data=body, headers=headers)
        assert answer.status_code == status
    assert "put them before it" in answer.json()["error"]["message"]


def test_a_form_whose_length_is_not_announced_is_refused(site):
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    body = form_body({"modelId": "m", "chunkIndex": 0}, "chunk", noise(MIB), file_at=0)
    answer = site.request("POST", "/v1/chunked-upload/chunk", data=iter([body]), headers=headers)
    assert answer.status_code == 400
    assert "Content-Length" in answer.json()["error"]["message"]


@pytest.mark.parametrize("file_at", [0, 2, 3])
def test_the_originals_form_works_with_its_fields_in_any_order(site, file_at):
    data = noise(5 * MIB)
    upload = site.start(len(data))
    for index in (1, 0):
        fields = {"modelId": upload, "chunkIndex": index, "totalChunks": 2}
        piece = data[index * 3 * MIB : (index + 1) * 3 * MIB]
        body = form_body(fields, "chunk", piece, file_at=file_at)
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        answer = site.request("POST", "/v1/chunked-upload/chunk", data=body, headers=headers)
        assert answer.json() == {"success": True, "chunkIndex": index, "totalChunks": 2}
    assert site.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200


def test_a_body_whose_length_is_not_announced_is_taken_too(site):
    data = noise(2 * MIB)
    upload = site.start(len(data), chunkSize=MIB)
    for index in range(2):
        pieces = iter([data[index * MIB : index * MIB + 1000], data[index * MIB + 1000 : (index + 1) * MIB]])
        assert site.put(upload, index, pieces).status_code == 200
    assert site.put(upload, 0, iter([noise(MIB), b"x"])).status_code == 400
    assert site.put(upload, 0, iter([noise(MIB - 1)])).status_code == 400
    assert site.put(upload, 0, iter([data[:MIB]])).status_code == 200
    assert site.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200


def test_a_refused_chunk_leaves_the_connection_usable(site):
    upload = site.start(2 * MIB, chunkSize=MIB)
    with requests.Session() as session:
        session.headers.update(site.headers)
        address = f"{site.url}/v1/chunked-upload/{upload}/chunks"
        for _ in range(2):
            assert session.put(f"{address}/0", data=noise(MIB + 1), timeout=10).status_code == 400
            assert session.put(f"{address}/7", data=noise(MIB), timeout=10).status_code == 400
            assert session.put(f"{address}/0", data=noise(MIB), timeout=10).status_code == 200


def test_a_client_that_waits_for_the_servers_consent_gets_it(site):
    upload = site.start(MIB, chunkSize=MIB)
    connection = site.open(
        f"PUT /v1/chunked-upload/{upload}/chunks/0 HTTP/1.1", f"Content-Length: {MIB}", "Expect: 100-continue"
    )
    with connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 100")
        connection.sendall(noise(MIB))
        assert status_of(connection) == 200


def test_a_body_cut_short_does_not_count_and_the_rest_is_kept(site):
    data = noise(4 * MIB)
    upload = site.start(len(data), chunkSize=2 * MIB)
    site.put(upload, 0, data[: 2 * MIB])
    send_half(site, upload, 1, data[2 * MIB :]).close()
    assert site.status(upload)["received"] == [[0, 0]]
    assert site.put(upload, 1, data[2 * MIB :]).status_code == 200
    assert site.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200


def test_a_client_that_stops_sending_is_sent_away(site):
    data = noise(2 * MIB)
    upload = site.start(len(data), chunkSize=2 * MIB)
    with send_half(site, upload, 0, data) as connection:
        assert status_of(connection) == 408


def test_a_client_that_sends_a_byte_now_and_then_is_sent_away_and_holds_up_nobody(site):
    data = noise(MIB)
    slow = [site.start(len(data), chunkSize=MIB) for _ in range(20)]
    connections = [site.open_put(upload, 0, len(data)) for upload in slow]
    ending = threading.Event()

    def drip() -> None:
        while not ending.is_set():
            for connection in connections:
                try:
                    connection.send(b"x")
                except OSError:
                    return
            time.sleep(0.1)

    thread = threading.Thread(target=drip)
    thread.start()
    fast = site.start(len(data), chunkSize=MIB)
    begun = time.monotonic()
    assert site.put(fast, 0, data).status_code == 200
    assert time.monotonic() - begun < 1 + BUSY_SECONDS
    assert {status_of(connection) for connection in connections} == {408}
    ending.set()
    thread.join()
    for connection in connections:
        connection.close()


def test_the_newer_of_two_senders_of_a_chunk_wins_at_once(site):
    old, new = noise(2 * MIB), noise(2 * MIB)
    upload = site.start(2 * MIB, chunkSize=2 * MIB)
    with send_half(site, upload, 0, old) as connection:
        assert site.put(upload, 0, new).status_code == 200
        connection.sendall(old[MIB:])
        assert status_of(connection) == 409
    assert site.complete(upload, sha256=hashlib.sha256(new).hexdigest()).status_code == 200


def test_deleting_an_upload_stops_the_chunk_that_arrives(site):
    data = noise(2 * MIB)
    upload = site.start(len(data), chunkSize=2 * MIB)
    with send_half(site, upload, 0, data) as connection:
        assert site.request("DELETE", f"/v1/chunked-upload/{upload}").json()["freedBytes"] >= len(data)
        connection.sendall(data[MIB:])
        assert status_of(connection) == 409
    assert not site.stored(upload).parent.exists()


def test_completing_while_a_chunk_arrives_names_it(site):
    data = noise(2 * MIB)
    upload = site.start(len(data), chunkSize=2 * MIB)
    with send_half(site, upload, 0, data) as connection:
        assert "1 of 1 chunks are missing: 0." in site.complete(upload).text
        connection.sendall(data[MIB:])
        assert status_of(connection) == 200
    assert site.complete(upload).status_code == 200


def test_two_completions_at_once_answer_the_same(site):
    data = noise(8 * MIB)
    upload = site.start(len(data), chunkSize=8 * MIB)
    site.put(upload, 0, data)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: site.complete(upload).text, range(4)))
    assert len(set(answers)) == 1
    assert '"success":true' in answers[0]


def test_one_large_put_does_not_grow_the_server(site):
    size, block = 300 * MIB, noise(MIB)
    small = site.start(MIB, chunkSize=MIB)
    site.put(small, 0, block)
    site.complete(small)
    [worker] = site.workers
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before = peak_bytes(worker)
    upload = site.start(size, chunkSize=size)
    with site.open_put(upload, 0, size) as connection:
        for _ in range(300):
            connection.sendall(block)
        assert status_of(connection) == 200
    assert site.complete(upload).status_code == 200
    assert peak_bytes(worker) - before < 32 * MIB
    site.request("DELETE", f"/v1/chunked-upload/{upload}")


def test_a_part_that_tus_sends_counts_as_far_as_it_came(site):
    data = noise(4 * MIB)
    created = site.request(
        "POST",
        "/v1/tus",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": "filename bS5nZ3Vm"},
    )
    place = created.headers["Location"]
    head = (f"Content-Length: {len(data)}", "Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream")
    with site.open(f"PATCH {place} HTTP/1.1", *head, "Upload-Offset: 0") as connection:
        connection.sendall(data[: 3 * MIB])
    offset = 0

    def has_counted() -> bool:
        nonlocal offset
        offset = int(site.request("HEAD", place, headers={"Tus-Resumable": "1.0.0"}).headers["Upload-Offset"])
        return offset > 0

    wait_until(has_counted)
    assert offset <= 3 * MIB
    rest = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    assert site.request("PATCH", place, data=data[offset:], headers=rest).status_code == 204
    assert site.stored(place.rsplit("/", 1)[1]).read_bytes() == data


class Breaking(io.BytesIO):
    """A file whose disk fails once, in the middle."""

    breaks_at = 2 * MIB

    def read(self, size: int | None = -1) -> bytes:
        if self.breaks_at and self.tell() >= self.breaks_at:
            self.breaks_at = 0
            raise OSError("broken")
        return super().read(size)


def test_tuspy_uploads_with_checksums_and_goes_on_after_a_break(site, tmp_path):
    data = noise(5 * MIB)
    client = TusClient(f"{site.url}/v1/tus", headers=site.headers)
    uploader = client.uploader(
        file_stream=Breaking(data), chunk_size=MIB, metadata={"filename": "m.gguf"}, upload_checksum=True
    )
    with pytest.raises(OSError, match="broken"):
        uploader.upload()
    again = client.uploader(file_stream=io.BytesIO(data), chunk_size=MIB, url=uploader.url)
    assert again.offset == 2 * MIB
    again.upload()
    assert site.stored(uploader.url.rsplit("/", 1)[1]).read_bytes() == data
    client.uploader(file_stream=io.BytesIO(data), metadata={"filename": "m.gguf"}).upload()


def test_tuspy_is_told_what_is_refused(site):
    client = TusClient(f"{site.url}/v1/tus", headers=site.headers)
    with pytest.raises(TusCommunicationError) as refused:
        client.uploader(file_stream=io.BytesIO(b"x"), metadata={"filename": "m.exe"}).upload()
    assert refused.value.status_code == 400


def test_a_killed_worker_loses_only_the_chunk_it_had_in_hand(tmp_path):
    data = noise(6 * MIB)
    with running_site(tmp_path / "data") as site:
        upload = site.start(len(data), chunkSize=2 * MIB)
        site.put(upload, 0, data[: 2 * MIB])
        with send_half(site, upload, 1, data[2 * MIB : 4 * MIB]):
            [worker] = site.workers
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: site.workers not in ([], [worker]))
        assert site.status(upload)["received"] == [[0, 0]]
        for index in (2, 1):
            assert site.put(upload, index, data[index * 2 * MIB : (index + 1) * 2 * MIB]).status_code == 200
        os.kill(site.workers[0], signal.SIGKILL)
        wait_until(lambda: site.workers != [])
        assert site.complete(upload, sha256=hashlib.sha256(data).hexdigest()).status_code == 200
        assert site.stored(upload).read_bytes() == data


def test_two_workers_share_one_upload(tmp_path):
    data = noise(16 * MIB)
    with running_site(tmp_path / "data", WEB_WORKERS="2") as site:
        wait_until(lambda: len(site.workers) == 2)
        upload = site.start(len(data), chunkSize=MIB)
        jobs = [*range(16), *range(0, 16, 3)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda index: site.put(upload, index, data[index * MIB : (index + 1) * MIB]), jobs))
        assert {answer.status_code for answer in answers} <= {200, 409}
        missing = site.complete(upload)
        while missing.status_code == 409:  # One that was sent twice at the same moment was overtaken.
            received = {index for first, last in site.status(upload)["received"] for index in range(first, last + 1)}
            for index in set(range(16)) - received:
                site.put(upload, index, data[index * MIB : (index + 1) * MIB])
            missing = site.complete(upload)
        assert missing.json()["sha256"] == hashlib.sha256(data).hexdigest()


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[Site]:
    """Run a site whose data have 40 MB."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    script = 'mount -t tmpfs -o size=40m none "$DATA_PATH" && "$1" -m premrunner database upgrade && exec "$@"'
    with running_site(folder / "data", "unshare", "-rm", "sh", "-c", script, "sh") as site:
        yield site


def test_a_disk_that_fills_up_keeps_what_arrived_and_goes_on_when_there_is_room(tmp_path):
    with on_a_small_disk(tmp_path) as site:
        inside = Path(f"/proc/{site.workers[0]}/root{site.data_path}")
        data = noise(8 * MIB)
        first, second = (site.start(len(data), chunkSize=4 * MIB) for _ in range(2))
        assert site.put(first, 0, data[: 4 * MIB]).status_code == 200
        (inside / "filler").write_bytes(bytes(shutil.disk_usage(inside).free - 2 * MIB))
        refused = site.put(second, 0, data[: 4 * MIB])
        assert refused.status_code == 507
        assert "free some space" in refused.text
        assert (
            site.request(
                "POST", "/v1/chunked-upload/start", json={"fileName": "m.gguf", "fileSize": len(data)}
            ).status_code
            == 507
        )
        assert site.put(first, 1, data[4 * MIB :]).status_code == 200  # Its space was reserved.
        (inside / "filler").unlink()
        for index in range(2):
            assert site.put(second, index, data[index * 4 * MIB :][: 4 * MIB]).status_code == 200
        assert site.complete(second, sha256=hashlib.sha256(data).hexdigest()).status_code == 200
        assert site.complete(first).status_code == 200


def test_a_full_disk_ends_no_web_process(tmp_path):
    """Each route and status is counted in mapped memory, whose pages come from the disk when they are first written."""
    with on_a_small_disk(tmp_path) as site:
        routes = site.request("GET", "/openapi.json").json()["paths"]
        [worker] = site.workers
        inside = Path(f"/proc/{worker}/root{site.data_path}")
        with suppress(OSError), (inside / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        for path, methods in routes.items():
            for method in methods:
                site.request(method.upper(), re.sub(r"{.*?}", "x", path), stream=True).close()
        assert site.workers == [worker]
