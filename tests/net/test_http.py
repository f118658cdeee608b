"""The small HTTP client: reuse, streaming, and connections that the server closed."""

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from premrunner.net.http import HttpPool


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # The name that http.server looks for.
        self.server.ports.append(self.client_address[1])
        if self.path == "/pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two", b"three"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                self.server.go_on.wait(5)
                self.server.go_on.clear()
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        if self.path == "/close":
            self.close_connection = True

    def log_message(self, *args):
        """Say nothing."""


@contextmanager
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.ports, httpd.go_on = [], threading.Event()
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    with closing(HttpPool("127.0.0.1", httpd.server_port)) as pool:
        yield httpd, pool
    httpd.shutdown()
    httpd.server_close()


def test_a_connection_is_used_again():
    with server() as (httpd, pool):
        for _ in range(3):
            assert pool.request("GET", "/").read() == b"ok"
        assert len(set(httpd.ports)) == 1


def test_an_answer_that_was_not_read_to_its_end_costs_its_connection():
    with server() as (httpd, pool):
        with pool.request("GET", "/"):
            pass
        assert pool.request("GET", "/").read() == b"ok"
        assert len(set(httpd.ports)) == 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used():
    with server() as (httpd, pool):
        assert pool.request("GET", "/close").read() == b"ok"
        while pool._idle and not _is_stale(pool):
            pass
        assert pool.request("GET", "/").read() == b"ok"
        assert len(set(httpd.ports)) == 2


def _is_stale(pool):
    from premrunner.net.departure import has_left

    return has_left(pool._idle[0].sock)


def test_pieces_come_as_they_are_sent():
    with server() as (httpd, pool), pool.request("GET", "/pieces") as reply:
        for expected in (b"one", b"two", b"three"):
            assert reply.read_some() == expected
            httpd.go_on.set()
        assert reply.read_some() == b""


def test_silence_past_the_timeout_is_an_error():
    with server() as (_, pool), pool.request("GET", "/pieces", timeout_seconds=0.2) as reply:
        reply.read_some()
        with pytest.raises(TimeoutError):
            reply.read_some()
