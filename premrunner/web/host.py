"""By which names this server may be asked: no stranger's name may lead a browser to it (DNS rebinding)."""

import ipaddress
from contextlib import suppress
from functools import lru_cache

from flask import Flask, current_app, request

from premrunner.errors import Forbidden
from premrunner.web.auth import has_session, shown_secret

# Names that no stranger can own: they never leave the house.
PRIVATE_ENDINGS = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
ANY = "*"
# What a load balancer asks for by any name; it shows nothing.
FREE_ENDPOINTS = {"status.health"}


@lru_cache(maxsize=64)
def is_known(host: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether a server may be asked by a name: an address, a name of the house, or one that its owner gave.

    Args:
        host: The ``Host`` header, with or without a port.
        allowed: What the owner gave; ``*`` is every name.
    """
    name = _name_of(host)
    if ANY in allowed or name in allowed:
        return True
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return bool(name) and ("." not in name or name.endswith(PRIVATE_ENDINGS))


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].rstrip(".").lower() if ":" in host else host.rstrip(".").lower()


def require_known_host() -> None:
    """Refuse a browser that came by a stranger's name.

    Who shows a secret, or a session that this very name was given, cannot have been led here by a stranger.

    Raises:
        Forbidden: Nobody said that this server has such a name.
    """
    if request.endpoint in FREE_ENDPOINTS or is_known(request.host, current_app.config["ALLOWED_HOSTS"]):
        return
    if not shown_secret() and not has_session():
        raise Forbidden(
            "This server does not know itself by the name it was asked by. "
            "If the name is right, its owner adds it to ALLOWED_HOSTS."
        )


def register_host_check(app: Flask) -> None:
    """Guard the app, before anything else does."""
    app.before_request(require_known_host)
