"""Read a file from another server by http or https, and be led nowhere that only this machine can reach.

The first address is the owner's choice, private or not. A redirect is somebody's answer: it may lead within the same
origin, and else only to public addresses, never from https to http. The address that was looked at is the one that is
connected to, so a name that changes its meaning in between gains nothing. Never goes through a proxy.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, urljoin, urlsplit

from premrunner.errors import DownloadFailed
from premrunner.net.http import Cancellation

CONNECT_SECONDS = 10.0
# Longest silence of a server that is sending.
READ_SECONDS = 60.0
REDIRECTS_MOST = 5

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = {301, 302, 303, 307, 308}
# Addresses by which a network of IPv6 alone reaches those of IPv4 (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


@contextmanager
def open_remote(url: str, headers: Mapping[str, str], cancellation: Cancellation) -> Iterator[http.client.HTTPResponse]:
    """Give the answer to a GET, redirects followed; closed when the block ends.

    Args:
        url: Of http or https.
        headers: Added to ``Host``.
        cancellation: Switch by which another thread may end the exchange.

    Raises:
        DownloadFailed: It leads where we do not go.
        OSError: No connection, a long silence, or cut.
        http.client.HTTPException: The answer is not HTTP, or ended early.
    """
    first, target = urlsplit(url), urlsplit(url)
    for _ in range(REDIRECTS_MOST + 1):
        connection = _connect(target, is_trusted=_origin(target) == _origin(first))
        try:
            cancellation.attach(connection.sock)
            path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
            connection.request("GET", path, headers={"Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
            if response.status not in _REDIRECTS:
                yield response
                return
            target = _redirected(target, response.headers.get("Location", ""))
        finally:
            cancellation.attach(None)
            connection.close()
    raise DownloadFailed(f"{first.hostname} redirects more than {REDIRECTS_MOST} times.")


def leads_inside(host: str) -> bool:
    """Tell whether a name means an address that is not public; one that means nothing leads nowhere."""
    try:
        return not all(map(_is_public, _addresses(host, None)))
    except OSError:
        return False


def _redirected(source: SplitResult, location: str) -> SplitResult:
    try:
        target = urlsplit(urljoin(source.geturl(), location))
    except ValueError:
        target = SplitResult("", "", "", "", "")
    if target.scheme not in _DEFAULT_PORTS or not target.hostname:
        raise DownloadFailed(f"{source.hostname} redirects to something that is no web address.")
    if source.scheme == "https" and target.scheme != "https":
        raise DownloadFailed(f"{source.hostname} redirects to an address without https; nothing was taken from there.")
    return target


def _connect(target: SplitResult, *, is_trusted: bool) -> http.client.HTTPConnection:
    """Connect to one of a name's addresses; they are looked at first, unless the owner named them."""
    _, host, port = _origin(target)
    addresses = _addresses(host, port)
    if not is_trusted and not all(map(_is_public, addresses)):
        raise DownloadFailed(f"A redirect leads to {host}, which is no public address; nothing was taken from there.")
    for last, address in zip((*[False] * (len(addresses) - 1), True), addresses, strict=True):
        try:
            connected = socket.create_connection((address, port), CONNECT_SECONDS)
            break
        except OSError:
            if last:
                raise
    connected.settimeout(READ_SECONDS)
    connection = http.client.HTTPConnection(host, port)
    if target.scheme == "https":
        connection = http.client.HTTPSConnection(host, port)
        connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
    connection.sock = connected
    return connection


def _origin(target: SplitResult) -> tuple[str, str, int]:
    try:
        return target.scheme, target.hostname or "", target.port or _DEFAULT_PORTS[target.scheme]
    except (KeyError, ValueError) as error:
        raise DownloadFailed("The address to download from is no web address.") from error


def _addresses(host: str, port: int | None) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_public(address: str) -> bool:
    parsed: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _TRANSLATED else None
        parsed = inner or parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed.is_global and not parsed.is_multicast
