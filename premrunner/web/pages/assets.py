"""Stylesheet, scripts and pictures, under addresses that change with their content.

The version is a folder of the address and not a query, so that a module which imports its neighbour by a relative path
gets the neighbour of the same version.
"""

import gzip
import hashlib
import time
from functools import cache, lru_cache
from pathlib import Path

from flask import Blueprint, Response, current_app, request, send_from_directory, url_for
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


@lru_cache(1)
def _version_at(_second: int) -> str:
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return _version_of(tuple((str(path.relative_to(FOLDER)), path.stat().st_mtime_ns) for path in files))


def asset_url(name: str) -> str:
    """Return the address of a file below ``static``, with a short digest of all of them, looked at once a second."""
    return url_for("ui.assets.send", version=_version_at(int(time.monotonic())), name=name)


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
