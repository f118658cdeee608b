import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.engine.supervision.probe import probe

TIMEOUT_SECONDS = 0.3


@contextmanager
def program(answer: Callable[[socket.socket, bytes], None]) -> Iterator[EngineAddress]:
    """A program that answers each connection's first bytes in its own way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    if request := connection.recv(65536):
                        answer(connection, request)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield EngineAddress("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def http(status: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def saying(**answers: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answers by the path's last word; ``other`` for the rest."""

    def answer(connection: socket.socket, request: bytes) -> None:
        name = request.split(b" ")[1].decode().rpartition("/")[2] or "root"
        connection.sendall(answers.get(name, answers.get("other", http("404 Not Found", "404 page not found"))))

    return answer


VERSION = http("200 OK", '{"version":"0.34.1"}')


def test_nothing_listens_is_stopped(free_address: EngineAddress) -> None:
    assert probe(free_address).state is EngineStatus.STOPPED


def test_a_name_that_no_machine_has_is_stopped_and_says_so() -> None:
    found = probe(EngineAddress("no-such-machine.invalid", 11434), TIMEOUT_SECONDS)
    assert found.state is EngineStatus.STOPPED
    assert "name" in found.detail


def test_ollama_is_running_with_its_version() -> None:
    with program(saying(version=VERSION, root=http("200 OK", "Ollama is running"))) as address:
        found = probe(address)
    assert (found.state, found.version, found.is_builtin, found.detail) == (EngineStatus.RUNNING, "0.34.1", False, "")


def test_an_engine_without_the_greeting_is_known_by_its_models() -> None:
    with program(
        saying(version=VERSION, root=http("200 OK", "hello"), tags=http("200 OK", '{"models":[]}'))
    ) as address:
        assert probe(address).state is EngineStatus.RUNNING


def test_the_builtin_engine_is_told_from_ollama() -> None:
    answer = http("200 OK", '{"version":"0.1.0","engine":"premrunner-builtin"}')
    with program(saying(version=answer)) as address:
        found = probe(address)
    assert (found.state, found.version, found.is_builtin) == (EngineStatus.RUNNING, "0.1.0", True)


@pytest.mark.parametrize(
    "answers",
    [
        {"other": http("404 Not Found", "<html>")},
        {"other": http("200 OK", "<html>Hello</html>")},
        {"other": http("200 OK", "[1, 2]")},
        {"other": http("200 OK", '{"version": 7}')},
        {"other": http("200 OK", "[" * 100_000)},
        {"version": VERSION},
        {"other": http("500 Oops", '{"version":"1"}')},
        {"other": b"SSH-2.0-OpenSSH_9.6\r\n"},
        {"other": b"\x15\x03\x01\x00\x02\x02\x50"},
    ],
    ids=["404", "page", "list", "number", "deep", "version-only", "500", "ssh", "tls"],
)
def test_another_program_is_told_from_an_engine(answers: dict[str, bytes]) -> None:
    with program(saying(**answers)) as address:
        found = probe(address, TIMEOUT_SECONDS)
    assert found.state is EngineStatus.WRONG_PROGRAM
    assert address.authority in found.detail


def test_an_empty_403_is_named() -> None:
    with program(saying(other=http("403 Forbidden"))) as address:
        found = probe(address)
    assert found.state is EngineStatus.WRONG_PROGRAM
    assert "403" in found.detail


def test_a_gateway_without_an_engine_is_starting() -> None:
    with program(saying(other=http("502 Bad Gateway", "<html>"))) as address:
        assert probe(address).state is EngineStatus.STARTING


def test_a_port_that_accepts_and_says_nothing_is_starting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = probe(EngineAddress("127.0.0.1", listener.getsockname()[1]), TIMEOUT_SECONDS)
    assert found.state is EngineStatus.STARTING


def test_a_port_that_hangs_up_is_starting() -> None:
    with program(lambda connection, request: None) as address:
        assert probe(address, TIMEOUT_SECONDS).state is EngineStatus.STARTING


def test_a_program_that_dribbles_without_end_does_not_hold_the_probe() -> None:
    def dribble(connection: socket.socket, request: bytes) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)

    started = time.monotonic()
    with program(dribble) as address:
        found = probe(address, TIMEOUT_SECONDS)
        taken = time.monotonic() - started
    assert found.state is not EngineStatus.RUNNING
    assert taken < 4 * TIMEOUT_SECONDS + 1


def test_a_program_that_sends_without_end_does_not_hold_the_probe() -> None:
    def flood(connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with program(flood) as address:
        assert probe(address, TIMEOUT_SECONDS).state is EngineStatus.WRONG_PROGRAM
