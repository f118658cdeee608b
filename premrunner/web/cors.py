"""Which other sites' pages may call the API from a browser: none, unless the settings name them.

Such a page brings a token of its own. A session is never lent to it, so there is no ``Allow-Credentials``.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

from premrunner.web.errors import API_PREFIXES

ANY = "*"
# Browsers ask again after so long, and Chromium never waits longer.
PREFLIGHT_SECONDS = 7200
EXPOSED = ", ".join(
    (
        *("x-request-id", "Retry-After", "x-should-retry"),
        *(f"x-ratelimit-{word}-{what}" for what in ("requests", "tokens") for word in ("limit", "remaining", "reset")),
    )
)


def register_cors(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins call the API.

    Args:
        app: The app.
        origins: Such as ``https://example.com``; ``*`` for every site, none for none.
    """
    if not origins:
        return

    @app.after_request
    def allow(response: Response) -> Response:
        if not request.path.startswith(API_PREFIXES) and request.path != "/openapi.json":
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin and (ANY in origins or origin in origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            if request.method == "OPTIONS":
                _answer_preflight(response)
        return response


def _answer_preflight(response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "GET, POST, OPTIONS")
    wanted = request.headers.get("Access-Control-Request-Headers")
    if wanted:
        # SDKs send a dozen headers of their own; a star would not cover Authorization.
        response.headers["Access-Control-Allow-Headers"] = wanted
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
