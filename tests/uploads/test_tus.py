"""tus by hand; `test_wire.py` has real clients."""

import base64
import hashlib

import pytest

from tests.uploads.sending import noise

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def create(api, size: int, name: str = "m.gguf", **headers) -> str:
    answer = api.post(
        "/v1/tus", headers=TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata(filename=name)} | headers
    )
    assert answer.status_code == 201, answer.get_data()
    return answer.headers["Location"]


def patch(api, place: str, offset: int, data: bytes, **headers):
    return api.patch(place, data=data, headers=TUS | BYTES | {"Upload-Offset": str(offset)} | headers)


def offset(api, place: str) -> int:
    return int(api.head(place, headers=TUS).headers["Upload-Offset"])


def checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def test_options_tell_what_the_server_can_do_without_a_token(client):
    answer = client.options("/v1/tus")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert {"creation", "termination", "checksum", "expiration"} <= set(answer.headers["Tus-Extension"].split(","))
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")
    assert answer.headers["Tus-Max-Size"] == str(100 * 10**9)


def test_parts_follow_each_other_and_the_last_completes_the_upload(api):
    data = noise(1000)
    place = create(api, len(data))
    first = patch(api, place, 0, data[:600])
    assert (first.status_code, first.headers["Upload-Offset"], first.headers["Tus-Resumable"]) == (204, "600", "1.0.0")
    assert "GMT" in first.headers["Upload-Expires"]
    head = api.head(place, headers=TUS)
    assert (head.headers["Upload-Length"], head.headers["Cache-Control"]) == ("1000", "no-store")
    assert head.headers["Upload-Metadata"] == metadata(filename="m.gguf")
    assert patch(api, place, 600, data[600:]).headers["Upload-Offset"] == "1000"
    upload = api.get(f"/v1/chunked-upload/{place.rsplit('/', 1)[1]}").json
    assert (upload["state"], upload["sha256"]) == ("complete", hashlib.sha256(data).hexdigest())
    assert offset(api, place) == 1000


def test_a_part_at_the_wrong_offset_is_refused_and_names_the_right_one(api):
    place = create(api, 1000)
    patch(api, place, 0, noise(100))
    for wrong in (0, 99, 101, 1000):
        refused = patch(api, place, wrong, noise(10))
        assert refused.status_code == 409
        assert "continues at byte 100" in refused.json["error"]["message"]
    assert offset(api, place) == 100


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_a_part_with_a_wrong_checksum_does_not_count(api, algorithm):
    place, data = create(api, 200), noise(100)
    assert patch(api, place, 0, data, **{"Upload-Checksum": checksum(algorithm, data)}).status_code == 204
    refused = patch(api, place, 100, data, **{"Upload-Checksum": checksum(algorithm, b"other")})
    assert (refused.status_code, refused.headers["Tus-Resumable"]) == (460, "1.0.0")
    assert offset(api, place) == 100


@pytest.mark.parametrize("value", ["md5 AAAA", "sha1 !!", "sha1", "crc32 AAAA", "sha1 AAAA"])
def test_a_checksum_that_cannot_be_checked_is_refused(api, value):
    assert patch(api, create(api, 10), 0, b"x", **{"Upload-Checksum": value}).status_code == 400


def test_the_first_bytes_may_come_with_the_creation(api):
    headers = TUS | BYTES | {"Upload-Length": "10", "Upload-Metadata": metadata(filename="m.gguf")}
    answer = api.post("/v1/tus", headers=headers, data=b"12345")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")


def test_more_bytes_than_announced_are_refused(api):
    place = create(api, 10)
    assert patch(api, place, 0, b"x" * 11).status_code == 400
    assert offset(api, place) == 0


def test_an_upload_can_be_given_up(api):
    place = create(api, 10)
    assert api.delete(place, headers=TUS).status_code == 204
    assert api.head(place, headers=TUS).status_code == 404


def test_another_version_of_the_protocol_is_refused(api):
    place = create(api, 10)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        refused = api.head(place, headers=headers)
        assert (refused.status_code, refused.headers["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "abc"}, 400),
        ({"Upload-Length": ""}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "9" * 40}, 413),
        ({"Upload-Length": str(101 * 10**9)}, 413),
        ({"Upload-Metadata": ""}, 400),
        ({"Upload-Metadata": "filename !!!"}, 400),
        ({"Upload-Metadata": metadata(filename="../m.gguf")}, 400),
        ({"Upload-Metadata": metadata(filename="m.exe")}, 400),
        ({"Upload-Metadata": metadata(filename="a\nb.gguf")}, 400),
    ],
)
def test_a_creation_that_makes_no_sense_is_refused(api, headers, status):
    wish = {"Upload-Length": "10", "Upload-Metadata": metadata(filename="m.gguf")} | headers
    assert api.post("/v1/tus", headers=TUS | wish).status_code == status


def test_a_part_of_another_type_is_refused(api):
    headers = TUS | {"Upload-Offset": "0", "Content-Type": "text/plain"}
    assert api.patch(create(api, 10), data=b"x", headers=headers).status_code == 415


def test_an_upload_goes_on_only_as_it_was_begun(api):
    place = create(api, 10)
    upload = place.rsplit("/", 1)[1]
    assert api.put(f"/v1/chunked-upload/{upload}/chunks/0", data=b"x" * 10).status_code == 409
    chunked = api.post("/v1/chunked-upload/start", json={"fileName": "m.gguf", "fileSize": 10, "modelName": "m"}).json[
        "modelId"
    ]
    assert patch(api, f"/v1/tus/{chunked}", 0, b"x").status_code == 409
