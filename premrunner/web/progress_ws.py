"""``/ws/progress``: what imports tell, from the event that a page knows to the one that comes next."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, request
from flask_sock import Sock
from simple_websocket import Server

from premrunner.errors import Forbidden
from premrunner.events import ImportEvent
from premrunner.web.parsing import integer
from premrunner.web.services import services

bp = Blueprint("progress_ws", __name__)
sock = Sock()

# A socket looks so often; the events of all sockets of a process are asked for once.
LOOK_SECONDS = 0.25
# Pages say nothing; a ping each so many seconds keeps proxies from closing a quiet line.
SERVER_OPTIONS = {"ping_interval": 25, "max_message_size": 4096}
# The code for "come back in a moment" (RFC 6455's registry).
SERVICE_RESTART = 1012
HIGHEST_NUMBER = 2**62


@bp.before_request
def check_origin() -> None:
    """Refuse a socket that another site opens: browsers send the session along, and no token of a form."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("Another site's page may not follow imports.")


@sock.route("/ws/progress", bp=bp)  # type: ignore[untyped-decorator]
def follow(connection: Server) -> None:
    """Send each event behind ``?after``, old ones first, as they come; without it, those to come."""
    feed = services().feed
    after = request.args.get("after", "")
    number = integer(0, HIGHEST_NUMBER)("after", int(after)) if after.isdecimal() else feed.latest()
    while connection.connected and not feed.is_ended:
        for event in feed.after(number):
            connection.send(orjson.dumps(event_shape(event)).decode())
            number = event.number
        connection.receive(timeout=LOOK_SECONDS)  # Notices that the page has gone.
    if connection.connected:
        connection.close(SERVICE_RESTART, "The server is being restarted.")


def event_shape(event: ImportEvent) -> dict[str, Any]:
    """Return an event as clients see it."""
    values = asdict(event)
    return {
        "number": values["number"],
        "modelId": values["import_id"],
        "status": values["status"],
        "stage": values["stage"],
        "percent": values["percent"],
        "message": values["message"],
        "doneBytes": values["done_bytes"],
        "totalBytes": values["total_bytes"],
        "bytesPerSecond": values["bytes_per_second"],
        "secondsLeft": values["seconds_left"],
        "createdAt": event.created_at.isoformat(),
    }
