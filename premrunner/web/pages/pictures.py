"""Pictures of messages and calls: each has an address of its own, so that a page stays small whatever it shows."""

from flask import Response

YEAR_SECONDS = 365 * 24 * 3600


def send_picture(data: bytes, media_type: str) -> Response:
    """Send a picture that never changes, to be kept by the browser of the one who may see it."""
    response = Response(data, mimetype=media_type)
    response.cache_control.private = response.cache_control.immutable = True
    response.cache_control.max_age = YEAR_SECONDS
    return response
