from types import SimpleNamespace

import pytest

from premrunner.errors import InvalidRequest
from premrunner.net.native_threads import NativeThreads
from premrunner.web.uploads.multipart_form import TAIL_BYTES, MultipartForm
from tests.uploads.sending import form_body, noise

FIELDS = {"modelId": "1", "chunkIndex": 0, "totalChunks": 3}


class Bytes:
    """A body that comes in pieces of a given size."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.rest, self.piece, self.length_bytes = data, piece, len(data)

    @property
    def rest_bytes(self) -> int:
        return len(self.rest)

    def read(self, size: int) -> bytes:
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def pour(self, sink, threads, leave_bytes) -> None:
        while data := self.read(min(self.piece, len(self.rest) - leave_bytes)):
            sink.write(memoryview(data))


def file_of(body: bytes, piece: int = 100_000) -> tuple[bytes, dict[str, str]]:
    form, found = MultipartForm(Bytes(body, piece), b"edge"), bytearray()
    form.pour(SimpleNamespace(write=found.extend), NativeThreads(1))
    return bytes(found), form.fields


@pytest.mark.parametrize("size", [0, 1, 1000, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES * 2 + 1, 1_000_000])
@pytest.mark.parametrize("file_at", [0, 1, 3])
@pytest.mark.parametrize("piece", [777, 65_536, 1_048_576])
def test_a_file_comes_out_as_it_went_in_wherever_it_stands(size, file_at, piece):
    data = noise(size)
    found, fields = file_of(form_body(FIELDS, "chunk", data, file_at=file_at), piece)
    assert found == data
    assert fields == {"modelId": "1", "chunkIndex": "0", "totalChunks": "3"}


def test_fields_before_the_file_are_known_before_it_is_read():
    body = form_body(FIELDS, "chunk", noise(200_000), file_at=2)
    assert MultipartForm(Bytes(body, 1000), b"edge").fields == {"modelId": "1", "chunkIndex": "0"}


def test_data_that_looks_like_a_boundary_of_another_form_is_data():
    data = b"\r\n--other--\r\n\r\n--edg" * 100
    assert file_of(form_body(FIELDS, "chunk", data, file_at=3))[0] == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        b"--edge--\r\n",
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nonly a field\r\n--edge--\r\n',
        b'--edge\r\nContent-Disposition: form-data; name="chunk"; filename="x"\r\n\r\nno end',
        b"--edge\r\nContent-Type: text/plain\r\n\r\nno name\r\n--edge--\r\n",
        form_body(FIELDS, "chunk", b"x" * 300_000, file_at=3)[:-12],
    ],
)
def test_a_form_that_is_none_is_refused(body):
    with pytest.raises(InvalidRequest):
        file_of(body)
