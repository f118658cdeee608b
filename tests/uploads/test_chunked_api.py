"""The calls of chunked uploads, in the process of the test."""

import base64
import errno
import hashlib
import io
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from premrunner.config import load_settings
from premrunner.domain import upload_completion
from premrunner.domain.uploads import UploadLimits
from premrunner.errors import DiskFull
from premrunner.storage import upload_files, upload_ledger
from premrunner.storage.upload_files import UploadFiles
from tests.uploads.sending import noise

CHUNK = 65_536
START = "/v1/chunked-upload/start"


@pytest.fixture
def services(app):
    return app.extensions["premrunner"]


@pytest.fixture(autouse=True)
def nothing_uploaded(services):
    for status in services.uploads.all():
        services.uploads.give_up(status.upload.id)


def start(api, size: int, **fields) -> str:
    answer = api.post(START, json={"fileName": "model.gguf", "fileSize": size, "modelName": "Model"} | fields)
    assert answer.status_code == 200, answer.json
    return answer.json["modelId"]


def put(api, upload, index, data, **headers):
    return api.put(f"/v1/chunked-upload/{upload}/chunks/{index}", data=data, headers=headers)


def post_form(api, upload, index, total, data):
    fields = {
        "chunk": (io.BytesIO(data), "blob"),
        "modelId": upload,
        "chunkIndex": str(index),
        "totalChunks": str(total),
    }
    return api.post("/v1/chunked-upload/chunk", data=fields)


def complete(api, upload, **fields):
    return api.post("/v1/chunked-upload/complete", json={"modelId": upload, **fields})


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[offset : offset + size] for offset in range(0, len(data), size)]


def stored(services, upload) -> list[bytes]:
    return [path.read_bytes() for path in services.uploads._files.stored(services.uploads.get(upload))]


def message(answer) -> str:
    return answer.json["error"]["message"]


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_originals_three_calls_work_field_for_field(api, services):
    data = noise(250_000)
    started = api.post(START, json={"fileName": "m.zip", "fileSize": len(data), "modelName": "My model"})
    upload = started.json["modelId"]
    assert started.json["message"] == "Ready for chunks"
    for index, piece in enumerate(pieces(data, 100_000)):
        assert post_form(api, upload, index, 3, piece).json == {"success": True, "chunkIndex": index, "totalChunks": 3}
    done = complete(api, upload, modelName="My model", totalChunks=3)
    assert done.status_code == 200
    assert done.json["success"] is True
    assert done.json["modelId"] == upload
    assert done.json["size"] == len(data)
    assert str(services.uploads._files._paths.root) not in done.get_data(as_text=True)
    assert stored(services, upload) == [data]
    fields = {"modelId": upload, "modelName": "My model", "filePath": done.json["path"]}
    imported = api.post("/v1/models/import", data=fields)
    assert imported.status_code == 200
    assert imported.json["id"] == upload


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [2, 1, 0], [0, 1, 0, 2, 2]])
def test_the_originals_chunks_may_come_in_any_order_and_again(api, services, order):
    data = noise(250_000)
    upload = start(api, len(data))
    for index in order:
        assert post_form(api, upload, index, 3, pieces(data, 100_000)[index]).status_code == 200
    assert complete(api, upload).status_code == 200
    assert stored(services, upload) == [data]


def test_raw_chunks_in_any_order_make_the_file(api, services):
    data = noise(5 * CHUNK + 7)
    upload = start(api, len(data), chunkSize=CHUNK)
    for index in (5, 0, 3, 1, 4, 2):
        assert put(api, upload, index, pieces(data, CHUNK)[index]).json["totalChunks"] == 6
    done = complete(api, upload, sha256=hashlib.sha256(data).hexdigest())
    assert done.json["sha256"] == hashlib.sha256(data).hexdigest()
    assert stored(services, upload) == [data]


def test_the_status_tells_what_has_arrived(api):
    upload = start(api, 6 * CHUNK, chunkSize=CHUNK)
    for index in (0, 1, 4):
        put(api, upload, index, noise(CHUNK))
    status = api.get(f"/v1/chunked-upload/{upload}").json
    assert status["received"] == [[0, 1], [4, 4]]
    assert status["receivedBytes"] == 3 * CHUNK
    assert (status["chunkSize"], status["totalChunks"], status["state"]) == (CHUNK, 6, "open")
    assert status["expiresAt"] > status["createdAt"]


def test_a_client_that_names_no_chunk_size_gets_one_below_the_usual_limit_of_proxies(api):
    answer = api.post(START, json={"fileName": "m.zip", "fileSize": 10**9, "modelName": "m"}).json
    assert answer["chunkSize"] < 100_000_000
    assert answer["totalChunks"] is None


def test_a_folder_arrives_as_its_files(api, services):
    files = {"m/config.json": b"{}", "m/model.safetensors": noise(150_000), "m/empty.txt": b"", "m/b.txt": b"b" * CHUNK}
    listed = [{"path": path, "size": len(data)} for path, data in files.items()]
    answer = api.post(START, json={"modelName": "m", "files": listed, "chunkSize": CHUNK}).json
    assert answer["totalChunks"] == 5
    assert [file["firstChunk"] for file in answer["files"]] == [0, 1, 4, 4]
    chunks = [piece for data in files.values() for piece in pieces(data, CHUNK)]
    for index in (4, 2, 0, 3, 1):
        assert put(api, answer["modelId"], index, chunks[index]).status_code == 200
    lines = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    done = complete(api, answer["modelId"], sha256=hashlib.sha256(lines.encode()).hexdigest())
    assert done.status_code == 200, done.json
    assert stored(services, answer["modelId"]) == list(files.values())
    shown = api.get(f"/v1/chunked-upload/{answer['modelId']}").json["files"]
    assert [file["sha256"] for file in shown] == [hashlib.sha256(data).hexdigest() for data in files.values()]


def test_complete_with_holes_names_the_missing_chunks_and_the_upload_goes_on(api):
    data = noise(8 * CHUNK)
    upload = start(api, len(data), chunkSize=CHUNK)
    for index in (0, 4, 7):
        put(api, upload, index, pieces(data, CHUNK)[index])
    refused = complete(api, upload)
    assert refused.status_code == 409
    assert "5 of 8 chunks are missing: 1-3, 5-6." in message(refused)
    for index in (1, 2, 3, 5, 6):
        assert put(api, upload, index, pieces(data, CHUNK)[index]).status_code == 200
    assert complete(api, upload).status_code == 200


def test_complete_before_any_chunk_is_refused(api):
    assert complete(api, start(api, 100)).status_code == 409


def test_complete_twice_answers_the_same(api):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    first, second = complete(api, upload), complete(api, upload)
    assert first.json == second.json
    assert put(api, upload, 0, noise(CHUNK)).status_code == 409


def test_a_wrong_digest_refuses_the_chunk_and_keeps_the_rest(api):
    data = noise(2 * CHUNK)
    upload = start(api, len(data), chunkSize=CHUNK)
    good, bad = pieces(data, CHUNK)

    def digest(piece: bytes) -> str:
        return "sha-256=:" + base64.b64encode(hashlib.sha256(piece).digest()).decode() + ":"

    assert put(api, upload, 0, good, **{"Content-Digest": digest(good)}).status_code == 200
    refused = put(api, upload, 1, bad, **{"Content-Digest": digest(good)})
    assert refused.status_code == 400
    assert "digest" in message(refused)
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[0, 0]]
    assert put(api, upload, 1, bad, **{"Content-Digest": f"md5=:AAAA:, {digest(bad)}"}).status_code == 200


@pytest.mark.parametrize("header", ["", "md5=:AAAA:", "sha-256=abc", "sha-256=:!!:", "sha-256=:AAAA:"])
def test_a_digest_that_cannot_be_checked_is_refused(api, header):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    assert put(api, upload, 0, noise(CHUNK), **{"Content-Digest": header}).status_code == 400


def test_a_wrong_digest_of_the_whole_keeps_everything_and_a_chunk_can_be_mended(api, services):
    data = noise(2 * CHUNK)
    upload = start(api, len(data), chunkSize=CHUNK)
    put(api, upload, 0, data[:CHUNK])
    put(api, upload, 1, noise(CHUNK))
    wanted = hashlib.sha256(data).hexdigest()
    assert complete(api, upload, sha256=wanted).status_code == 400
    put(api, upload, 1, data[CHUNK:])
    assert complete(api, upload, sha256=wanted).status_code == 200
    assert stored(services, upload) == [data]


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK + 1, 0])
def test_a_chunk_of_another_size_is_refused(api, size):
    upload = start(api, 3 * CHUNK, chunkSize=CHUNK)
    refused = put(api, upload, 1, noise(size))
    assert refused.status_code == 400
    assert f"must have {CHUNK} bytes" in message(refused)
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == []


@pytest.mark.parametrize("index", ["-1", "NaN", "3", "999999999", "9" * 30, "1e3", "0x1", "٣", "%2e%2e", "1.0"])
def test_an_index_that_is_none_is_refused(api, index):
    upload = start(api, 3 * CHUNK, chunkSize=CHUNK)
    assert put(api, upload, index, noise(CHUNK)).status_code == 400
    assert post_form(api, upload, index, 3, noise(CHUNK)).status_code == 400


@pytest.mark.parametrize("upload", ["0" * 24, "x", "../../../etc/passwd", "..%2f..%2fetc", "😀", "\x00", "01a2" * 6])
def test_an_id_that_is_not_ours_is_unknown_everywhere(api, upload, services):
    before = sorted(services.uploads._files._paths.uploads.rglob("*"))
    answers = [
        post_form(api, upload, 0, 1, b"x"),
        complete(api, upload),
        api.post("/v1/models/import", json={"modelId": upload, "modelName": "m", "filePath": f"upload:{upload}"}),
    ]
    if "/" not in upload:
        answers += [
            put(api, upload, 0, b"x"),
            api.get(f"/v1/chunked-upload/{upload}"),
            api.delete(f"/v1/chunked-upload/{upload}"),
        ]
    assert {answer.status_code for answer in answers} == {404}
    assert sorted(services.uploads._files._paths.uploads.rglob("*")) == before


@pytest.mark.parametrize("total", [2, 4, 0, "NaN", -1, 10**12])
def test_a_total_that_disagrees_is_refused(api, total):
    upload = start(api, 3 * CHUNK, chunkSize=CHUNK)
    assert post_form(api, upload, 0, total, noise(CHUNK)).status_code == 400
    for index in range(3):
        put(api, upload, index, noise(CHUNK))
    assert complete(api, upload, totalChunks=total).status_code == 400


@pytest.mark.parametrize(
    ("index", "total", "length"), [(0, 3, 10), (2, 3, 90_000), (0, 1, 99), (1, 2, 0), (5, 3, 100_000), (0, 2, 250_001)]
)
def test_a_first_chunk_that_cannot_be_part_of_the_upload_is_refused(api, index, total, length):
    upload = start(api, 250_000)
    assert post_form(api, upload, index, total, noise(length)).status_code == 400
    assert api.get(f"/v1/chunked-upload/{upload}").json["totalChunks"] is None


def test_a_form_without_its_fields_is_refused_in_the_originals_words(api):
    upload = start(api, 10)
    missing_id = api.post(
        "/v1/chunked-upload/chunk", data={"chunk": (io.BytesIO(b"x"), "b"), "chunkIndex": "0", "totalChunks": "1"}
    )
    assert (missing_id.status_code, message(missing_id)) == (400, "Missing chunk or modelId")
    no_file = api.post("/v1/chunked-upload/chunk", data={"modelId": upload, "chunkIndex": "0"})
    assert no_file.status_code == 400
    assert api.post("/v1/chunked-upload/chunk", json={}).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"fileName": "a\nb.gguf"}, {"fileName": "../a.gguf"}, {"fileName": "x" * 300 + ".gguf"}, {"fileName": ""},
        {"fileName": "a.exe"}, {"fileName": 7}, {"fileSize": -1}, {"fileSize": "NaN"}, {"fileSize": 1.5},
        {"fileSize": 0}, {"fileSize": None}, {"fileSize": 2**60}, {"fileSize": True}, {"modelName": "a\0b"},
        {"modelName": "n" * 300},
        {"modelName": {}}, {"chunkSize": 0}, {"chunkSize": 10}, {"chunkSize": "big"}, {"sha256": "short"},
        {"sha256": 5}, {"files": []}, {"files": [{}]}, {"files": "x"}, {"files": [{"path": "/a.gguf", "size": 1}]},
        {"fileSize": 90 * 10**9, "chunkSize": 65_536},
    ],
)  # fmt: skip
def test_a_start_that_makes_no_sense_is_refused(api, fields):
    wish = {"fileName": "m.gguf", "fileSize": 100, "modelName": "m"} | fields
    assert api.post(START, json=wish).status_code == 400
    assert api.get("/v1/chunked-upload").json["uploads"] == []


def test_names_with_emoji_are_kept_and_never_become_paths(api, services):
    upload = start(api, CHUNK, fileName="😀 модель.gguf", modelName="😀", chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    complete(api, upload)
    assert api.get(f"/v1/chunked-upload/{upload}").json["fileName"] == "😀 модель.gguf"
    assert all(path.name.isascii() for path in services.uploads._files._paths.uploads.rglob("*"))


def test_a_size_over_the_limit_is_refused_before_a_byte_is_sent(api):
    refused = api.post(START, json={"fileName": "m.gguf", "fileSize": 100 * 10**9 + 1, "modelName": "m"})
    assert refused.status_code == 413
    assert "100.00 GB" in message(refused)


def test_what_cannot_fit_is_refused_with_the_numbers(api, services, monkeypatch):
    monkeypatch.setattr(services.uploads._files, "free_bytes", lambda: 20 * 10**9)
    refused = api.post(START, json={"fileName": "m.zip", "fileSize": 15 * 10**9, "modelName": "m"})
    assert refused.status_code == 507
    assert "45.00 GB" in message(refused)
    assert "15.00 GB for the upload" in message(refused)
    assert "20.00 GB are free" in message(refused)


def test_the_same_file_again_takes_no_second_copy(api, services):
    data = noise(100_000)
    first, second = start(api, len(data)), start(api, len(data))
    for upload in (first, second):
        post_form(api, upload, 0, 1, data)
        complete(api, upload)
    paths = [services.uploads._files.stored(services.uploads.get(upload))[0] for upload in (first, second)]
    assert paths[0].samefile(paths[1])
    api.delete(f"/v1/chunked-upload/{first}")
    assert stored(services, second) == [data]


def test_a_client_that_asks_with_a_digest_need_not_send_what_is_here(api, services):
    data = noise(100_000)
    first = start(api, len(data))
    post_form(api, first, 0, 1, data)
    complete(api, first)
    wish = {
        "fileName": "other.gguf",
        "fileSize": len(data),
        "modelName": "m",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    answer = api.post(START, json=wish).json
    assert answer["alreadyHere"] is True
    assert answer["path"] == f"upload:{answer['modelId']}"
    assert stored(services, answer["modelId"]) == [data]
    assert complete(api, answer["modelId"]).json["success"] is True


def test_a_client_that_asks_with_a_digest_goes_on_with_its_unfinished_upload(api):
    wish = {"fileName": "m.gguf", "fileSize": 3 * CHUNK, "modelName": "m", "sha256": "ab" * 32, "chunkSize": CHUNK}
    first = api.post(START, json=wish).json["modelId"]
    put(api, first, 1, noise(CHUNK))
    again = api.post(START, json=wish).json
    assert (again["modelId"], again["received"]) == (first, [[1, 1]])
    assert api.post(START, json=wish | {"chunkSize": 2 * CHUNK}).json["modelId"] != first


def test_a_disk_that_is_too_full_for_the_digest_is_told_at_once_and_completing_goes_on_later(
    api, services, monkeypatch
):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    with monkeypatch.context() as disk:
        disk.setattr("premrunner.storage.upload_hasher.try_lock", full)
        put(api, upload, 0, noise(CHUNK))
        begun = time.monotonic()
        answer = complete(api, upload)
        assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
        assert time.monotonic() - begun < 5
    assert complete(api, upload).status_code == 200


@pytest.fixture
def lazy_disk(monkeypatch):
    """Nothing is brought to disk before somebody asks, or does it by this."""
    settle = UploadFiles.settle
    monkeypatch.setattr(UploadFiles, "settle", lambda *_: None)
    return settle


def test_what_is_said_to_have_arrived_is_on_disk(api, services, monkeypatch, lazy_disk):
    synced = []
    upload = start(api, 2 * CHUNK, chunkSize=CHUNK)
    put(api, upload, 1, noise(CHUNK))
    monkeypatch.setattr(upload_files, "sync_data", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    for _ in range(2):
        assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[1, 1]]
    assert synced == list(services.uploads._files.stored(services.uploads.get(upload)))


def test_of_what_the_disk_does_not_take_nothing_counts(api, services, monkeypatch, lazy_disk):
    upload = start(api, 3 * CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[0, 0]]
    put(api, upload, 1, noise(CHUNK))
    put(api, upload, 2, noise(CHUNK))
    record = services.uploads.get(upload)
    with monkeypatch.context() as disk:
        disk.setattr(upload_files, "sync_data", full)
        with pytest.raises(DiskFull):
            lazy_disk(services.uploads._files, record, upload_files.layout_of(record).place(1))
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[0, 0]]


def test_a_full_disk_is_told_to_whoever_asks_what_has_arrived(api, monkeypatch, lazy_disk):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    monkeypatch.setattr(upload_files, "sync_data", full)
    answer = api.get(f"/v1/chunked-upload/{upload}")
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")


def test_a_machine_that_lost_its_power_asks_again_for_what_was_in_its_memory(api, services, monkeypatch, lazy_disk):
    first, second = noise(CHUNK), noise(CHUNK)
    upload = start(api, 2 * CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, first)
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[0, 0]]
    put(api, upload, 1, second)
    monkeypatch.setattr(upload_ledger, "this_boot", lambda: 12345)
    monkeypatch.setattr(upload_completion, "ELSEWHERE_SECONDS", 0)
    assert api.get(f"/v1/chunked-upload/{upload}").json["received"] == [[0, 0]]
    assert "missing: 1" in message(complete(api, upload))
    put(api, upload, 1, second)
    assert complete(api, upload).json["sha256"] == hashlib.sha256(first + second).hexdigest()
    assert stored(services, upload) == [first + second]


def test_completing_waits_for_the_disk_of_another_machine(api, services, monkeypatch, lazy_disk):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    here, record = upload_ledger.this_boot(), services.uploads.get(upload)
    boots = iter([12345, 12345])
    monkeypatch.setattr(upload_ledger, "this_boot", lambda: next(boots, here))
    assert complete(api, record.id).status_code == 200


def test_giving_up_frees_the_space_and_says_how_much(api, services):
    upload = start(api, 3 * CHUNK, chunkSize=CHUNK)
    put(api, upload, 0, noise(CHUNK))
    freed = api.delete(f"/v1/chunked-upload/{upload}").json["freedBytes"]
    assert freed >= 3 * CHUNK
    assert not services.uploads._files._paths.upload(upload).exists()
    assert api.delete(f"/v1/chunked-upload/{upload}").status_code == 404


def test_two_hundred_uploads_opened_and_abandoned_take_no_space(api, services):
    for _ in range(200):
        start(api, 10**6)
    listed = api.get("/v1/chunked-upload").json
    assert len(listed["uploads"]) == 200
    assert listed["unfinishedBytes"] == 0
    assert services.uploads._files.folders() == []


def age(services, upload: str, hours: float) -> None:
    moment = time.time() - hours * 3600
    for path in services.uploads._files._paths.upload(upload).iterdir():
        os.utime(path, (moment, moment))


def test_only_unfinished_uploads_expire_and_their_space_comes_back(api, services):
    old, young, done = (start(api, CHUNK * 2, chunkSize=CHUNK) for _ in range(3))
    for upload in (old, young, done):
        put(api, upload, 0, noise(CHUNK))
    put(api, done, 1, noise(CHUNK))
    complete(api, done)
    age(services, old, 49)
    age(services, young, 47)
    age(services, done, 10_000)
    stranger = services.uploads._files._paths.uploads / "not of ours"
    stranger.mkdir()
    freed = services.uploads.clean()
    assert freed >= 2 * CHUNK
    assert {upload["modelId"] for upload in api.get("/v1/chunked-upload").json["uploads"]} == {young, done}
    assert stranger.exists()


def test_cleaning_leaves_alone_what_begins_meanwhile(api, services, monkeypatch):
    uploads, begun = services.uploads, []
    real_all = uploads._store.all

    def all_and_then_one_more():
        found = real_all()
        if not begun:
            begun.append("")
            begun[0] = start(api, CHUNK, chunkSize=CHUNK)
            put(api, begun[0], 0, noise(CHUNK))
            age(services, begun[0], 25)  # As if the clock had just been set.
        return found

    monkeypatch.setattr(uploads._store, "all", all_and_then_one_more)
    assert uploads.clean() == 0
    assert api.get(f"/v1/chunked-upload/{begun[0]}").json["received"] == [[0, 0]]


def test_what_killed_processes_left_is_cleaned_when_it_is_old(services):
    paths = services.uploads._files._paths
    orphan, spool = paths.uploads / ("ab" * 12), paths.incoming_uploads / "left"
    orphan.mkdir()
    (orphan / "0").write_bytes(b"x" * 5000)
    spool.write_bytes(b"x" * 5000)
    services.uploads.clean()
    assert orphan.exists()
    assert spool.exists()
    for path in (orphan / "0", spool):
        os.utime(path, (1, 1))
    assert services.uploads.clean() >= 10_000
    assert not orphan.exists()
    assert not spool.exists()


def test_an_import_takes_only_the_handle_of_that_upload(api):
    uploads = [start(api, CHUNK, chunkSize=CHUNK) for _ in range(2)]
    for upload in uploads:
        put(api, upload, 0, noise(CHUNK))
        complete(api, upload)
    for handle in ("/etc/passwd", f"upload:{uploads[1]}", "../../token", "upload:"):
        refused = api.post("/v1/models/import", json={"modelId": uploads[0], "modelName": "m", "filePath": handle})
        assert refused.status_code == 403
    assert message(api.post("/v1/models/import", data={"modelId": uploads[0]})) == "Missing required fields"


def test_an_unfinished_upload_cannot_be_imported(api):
    upload = start(api, CHUNK, chunkSize=CHUNK)
    refused = api.post("/v1/models/import", json={"modelId": upload, "modelName": "m", "filePath": f"upload:{upload}"})
    assert refused.status_code == 409


def test_a_model_in_one_request_is_kept_and_handed_over(api, services):
    data = noise(300_000)
    answer = api.post("/v1/models/upload", data={"file": (io.BytesIO(data), "m.gguf"), "name": "My model"})
    assert answer.status_code == 200
    assert set(answer.json) == {"id", "message", "path"}
    assert stored(services, answer.json["id"]) == [data]
    assert services.uploads.get(answer.json["id"]).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"name": "m"}, 400), ({"file": (b"x", "m.gguf")}, 400), ({"file": (b"x", "m.exe"), "name": "m"}, 400),
     ({"file": (b"x", "../m.gguf"), "name": "m"}, 400), ({"file": (b"", "m.gguf"), "name": "m"}, 400),
     ({"file": (b"x", "m.gguf"), "name": "a\nb"}, 400)],
)  # fmt: skip
def test_a_model_in_one_request_that_is_none_is_refused_and_leaves_nothing(api, services, fields, status):
    data = {
        key: (io.BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value for key, value in fields.items()
    }
    assert api.post("/v1/models/upload", data=data).status_code == status
    assert list(services.uploads._files._paths.incoming_uploads.iterdir()) == []
    assert services.uploads.all() == []


def test_a_wrong_raw_chunk_does_not_settle_the_size_of_chunks(api):
    upload = start(api, 250_000)
    assert put(api, upload, 0, noise(10)).status_code == 400
    for index, length in enumerate((100_000, 100_000, 50_000)):
        assert post_form(api, upload, index, 3, noise(length)).status_code == 200


def test_a_form_larger_than_any_upload_may_be_is_refused_while_it_comes(api, services, monkeypatch):
    monkeypatch.setattr(services.uploads, "_limits", UploadLimits(100_000, timedelta(hours=1)))
    assert post_form(api, start(api, 100_000), 0, 1, noise(500_000)).status_code == 413
    assert list(services.uploads._files._paths.incoming_uploads.iterdir()) == []


def test_a_queue_of_imports_is_given_the_upload_and_the_originals_words_are_answered(api, services, monkeypatch):
    taken = []
    monkeypatch.setattr(
        services.handover, "queue", lambda upload, *options: taken.append(upload) or "Model import started"
    )
    answer = api.post("/v1/models/upload", data={"file": (io.BytesIO(b"x" * 10), "m.gguf"), "name": "Name"})
    assert answer.json["message"] == "Model uploaded successfully, import started"
    assert [(upload.id, upload.name) for upload in taken] == [(answer.json["id"], "Name")]


def test_uploads_need_the_token(client):
    for method, path in (
        ("post", START),
        ("put", f"/v1/chunked-upload/{'0' * 24}/chunks/0"),
        ("patch", f"/v1/tus/{'0' * 24}"),
    ):
        assert getattr(client, method)(path).status_code == 401


def test_a_browsers_session_sends_forms_with_its_header_and_not_without(client, token):
    client.get(f"/login?token={token}")
    csrf = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/").text)[1]
    fields = {"file": (io.BytesIO(b"x" * 100_000), "m.gguf"), "name": "m"}
    assert client.post("/v1/models/upload", data=fields, headers={"X-CSRFToken": "forged"}).status_code == 403
    fields = {"file": (io.BytesIO(b"x" * 100_000), "m.gguf"), "name": "m"}
    assert client.post("/v1/models/upload", data=fields, headers={"X-CSRFToken": csrf}).status_code == 200


def test_the_settings_have_the_limits_of_the_documents():
    settings = load_settings({}, dotenv=None)
    assert (settings.max_upload_bytes, settings.upload_expiry_hours) == (100 * 10**9, 48)
