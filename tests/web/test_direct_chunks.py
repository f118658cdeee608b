"""Pieces of a stream that go past the server's Python."""

import socket

import pytest

from premrunner.net.chunked import ChunkedDecoder
from premrunner.web import direct_chunks
from premrunner.web.direct_chunks import sent_directly

PIECES = [b"data: one\n\n", b"data: two\n\n"]
POST = {"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST"}


class NarrowSocket:
    """Takes three bytes at a time, as one whose client reads slowly."""

    def __init__(self):
        self.sent = b""
        self.corks = []

    def setsockopt(self, _level, option, value):
        assert option == socket.TCP_CORK
        self.corks.append(value)

    def send(self, data):
        self.sent += data[:3]
        return len(data[:3])

    def sendall(self, data):
        self.sent += data


@pytest.fixture
def connection(monkeypatch):
    connection = NarrowSocket()
    monkeypatch.setattr(direct_chunks, "plain_socket", lambda environ: connection)
    return connection


def test_every_piece_arrives_whole_as_a_chunk_of_its_own(connection):
    assert list(sent_directly(POST, iter(PIECES))) == []
    assert connection.sent == b"b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n"
    assert ChunkedDecoder().feed(connection.sent) == b"".join(PIECES)


def test_headers_wait_for_the_first_piece_and_no_longer(connection):
    rest = iter(sent_directly(POST, iter(PIECES)))
    assert connection.corks == [True]
    assert next(rest, None) is None
    assert connection.corks == [True, False]


@pytest.mark.parametrize("request_line", [{"SERVER_PROTOCOL": "HTTP/1.0"}, {"REQUEST_METHOD": "HEAD"}])
def test_a_body_without_chunks_is_left_to_the_server(connection, request_line):
    assert list(sent_directly({**POST, **request_line}, iter(PIECES))) == PIECES
    assert connection.sent == b""


def test_a_server_that_shows_no_socket_sends_by_itself():
    assert list(sent_directly(POST, iter(PIECES))) == PIECES
