"""Where the engine is: OLLAMA_HOST, read as Ollama itself reads it (``envconfig/config.go``), seen from a client."""

import ipaddress
import re
from dataclasses import dataclass

LOOPBACK_HOST = "127.0.0.1"
DEFAULT_PORT = 11434
_HIGHEST_PORT = 65535

_PORT_OF_SCHEME = {"http": 80, "https": 443}
_NUMBER = re.compile(r"\+?[0-9]+")

# What a server binds to be reached from everywhere; a client has to name one place. ``localhost`` is spelled out
# because many resolvers put IPv6 first, where Ollama does not listen.
_HOSTS_OF_THIS_MACHINE = frozenset({"", "0.0.0.0", "::", "localhost"})  # noqa: S104 (compared with, never bound)


@dataclass(frozen=True)
class EngineAddress:
    """Host and port at which a client reaches an engine.

    Attributes:
        host: Name or IP address; an IPv6 address without brackets.
        port: TCP port, 1 to 65535.
    """

    host: str = LOOPBACK_HOST
    port: int = DEFAULT_PORT

    @property
    def authority(self) -> str:
        """Host and port in one string, an IPv6 address in brackets: the form that OLLAMA_HOST takes."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Base of the engine's URLs, without a slash at its end."""
        return f"http://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can be meant, so that a server may be started there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_ollama_host(value: str | None) -> EngineAddress:
    """Read a value of OLLAMA_HOST; never fails, as Ollama does not.

    A scheme sets the default port and nothing else: Ollama serves no TLS. A path is dropped.

    Args:
        value: The variable's text; None or blank means Ollama's default.
    """
    text = (value or "").strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    default_port = _PORT_OF_SCHEME.get(scheme, DEFAULT_PORT)
    host, port_text = _split_host_port(rest.partition("/")[0])
    if host.lower() in _HOSTS_OF_THIS_MACHINE:
        host = LOOPBACK_HOST
    return EngineAddress(host, _port_or(default_port, port_text))


def _split_host_port(text: str) -> tuple[str, str | None]:
    """Split as Go's ``net.SplitHostPort`` does; what it refuses is a host without a port."""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::([^:\[\]]*))?", text)
    if bracketed:
        return _plain_ip(bracketed[1]), bracketed[2]
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return _plain_ip(text), None


def _plain_ip(host: str) -> str:
    """Write an IP address in its short form, so that ``0:0:0:0:0:0:0:0`` is seen to be ``::``."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _port_or(default_port: int, text: str | None) -> int:
    if text is None or not _NUMBER.fullmatch(text):
        return default_port
    port = int(text)
    # Ollama would serve on any free port for 0, where no client can find it.
    return port if 0 < port <= _HIGHEST_PORT else default_port
