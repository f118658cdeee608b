"""Stylesheet, scripts and pictures, under addresses that change with their content.

The version is a folder of the address and not a query, so that a module which imports its neighbour by a relative path
gets the neighbour of the same version.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, g, request, send_from_directory, url_for
from werkzeug.security import safe_join

bp = Blueprint("assets", __name__)

FOLDER = Path(__file__).parent.parent / "static"
YEAR_SECONDS = 365 * 24 * 3600
# What shrinks to a third. Pages themselves go as they are: they hold secrets, which their packed length could betray.
PACKED = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _version_of(state: tuple[tuple[str, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _ in state:
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()[:12]


def version() -> str:
    """Return a short digest of all files together; looked at once a request, read again when one has changed."""
    if "assets_version" not in g:
        files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
        state = tuple((str(path.relative_to(FOLDER)), path.stat().st_mtime_ns) for path in files)
        g.assets_version = _version_of(state)
    return str(g.assets_version)


def asset_url(name: str) -> str:
    """Return the address of a file below ``static``."""
    return url_for("ui.assets.send", version=version(), name=name)


@bp.get("/assets/<version>/<path:name>")
def send(version: str, name: str) -> Response:
    """Send a file; a browser that has this version never asks again."""
    path = Path(safe_join(str(FOLDER), name) or FOLDER)
    if path.suffix in PACKED and path.is_file() and request.accept_encodings["gzip"] > 0:
        response = Response(_packed(path, path.stat().st_mtime_ns), mimetype=PACKED[path.suffix])
        response.content_encoding = "gzip"
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_SECONDS
    else:
        response = send_from_directory(FOLDER, name, max_age=YEAR_SECONDS)
    response.vary.add("Accept-Encoding")
    response.cache_control.immutable = True
    return response


@cache
def _packed(path: Path, _changed_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Send the mark to browsers that ask for it where no page has told them."""
    return current_app.send_static_file("mark.svg")
