import pytest

from premrunner.engine.address import EngineAddress, parse_ollama_host

LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        (None, LOOPBACK, 11434),
        ("", LOOPBACK, 11434),
        ("   ", LOOPBACK, 11434),
        ("1.2.3.4", "1.2.3.4", 11434),
        ("1.2.3.4:5", "1.2.3.4", 5),
        ("example.com", "example.com", 11434),
        ("example.com:1234", "example.com", 1234),
        ("localhost", LOOPBACK, 11434),
        (":5000", LOOPBACK, 5000),
        (":", LOOPBACK, 11434),
        ("0.0.0.0", LOOPBACK, 11434),
        ("0.0.0.0:8080", LOOPBACK, 8080),
        ("::", LOOPBACK, 11434),
        ("[::]:5", LOOPBACK, 5),
        ("0:0:0:0:0:0:0:0", LOOPBACK, 11434),
        ("::1", "::1", 11434),
        ("[::1]", "::1", 11434),
        ("[::1]:5", "::1", 5),
        ("http://example.com", "example.com", 80),
        ("https://example.com", "example.com", 443),
        ("http://example.com:1234", "example.com", 1234),
        ("http://[::1]:5/path", "::1", 5),
        ("https://example.com/ollama/", "example.com", 443),
        ("http://:1234", LOOPBACK, 1234),
        ("tcp://example.com", "example.com", 11434),
        ("1.2.3.4:", "1.2.3.4", 11434),
        ("1.2.3.4:66000", "1.2.3.4", 11434),
        ("1.2.3.4:-1", "1.2.3.4", 11434),
        ("1.2.3.4:abc", "1.2.3.4", 11434),
        ("1.2.3.4:0", "1.2.3.4", 11434),
        ("1.2.3.4:1_0", "1.2.3.4", 11434),
        ("http://example.com:66000", "example.com", 80),
        ('"1.2.3.4:5"', "1.2.3.4", 5),
        (" ' 1.2.3.4:5 ' ", "1.2.3.4", 5),
        ("example.com:1234/path", "example.com", 1234),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(value: str | None, host: str, port: int) -> None:
    assert parse_ollama_host(value) == EngineAddress(host, port)


def test_the_url_of_an_ipv6_address_has_brackets() -> None:
    assert EngineAddress("::1", 5).url == "http://[::1]:5"
    assert EngineAddress("127.0.0.1", 5).url == "http://127.0.0.1:5"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("192.168.1.2", False), ("example.com", False)],
)
def test_only_this_machine_is_loopback(host: str, is_loopback: bool) -> None:
    assert EngineAddress(host, 1).is_loopback is is_loopback
