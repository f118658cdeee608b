"""Stylesheet, scripts and pictures, under addresses that change with their content.

The version is a folder of the address and not a query, so that a module which imports its neighbour by a relative path
gets the neighbour of the same version.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, send_from_directory, url_for

bp = Blueprint("assets", __name__)

FOLDER = Path(__file__).parent.parent / "static"
YEAR_SECONDS = 365 * 24 * 3600


@cache
def _version_of(state: tuple[tuple[str, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _ in state:
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()[:12]


def version() -> str:
    """Return a short digest of all files together; read again when one of them has changed."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return _version_of(tuple((str(path.relative_to(FOLDER)), path.stat().st_mtime_ns) for path in files))


def asset_url(name: str) -> str:
    """Return the address of a file below ``static``."""
    return url_for("ui.assets.send", version=version(), name=name)


@bp.get("/assets/<version>/<path:name>")
def send(version: str, name: str) -> Response:
    """Send a file; a browser that has this version never asks again."""
    response = send_from_directory(FOLDER, name, max_age=YEAR_SECONDS)
    response.cache_control.immutable = True
    return response


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Send the mark to browsers that ask for it where no page has told them."""
    return current_app.send_static_file("mark.svg")
