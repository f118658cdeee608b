"""Who asks: the request's id, its path and the program behind it."""

from flask import Flask, Response, g, request

from premrunner.logs import request_id
from premrunner.records import AccessKey, Caller, new_id

# A program's name needs no more, and traces keep it.
LONGEST_CLIENT = 200


def caller() -> Caller:
    """Return who made this request."""
    return Caller(
        request_id=g.request_id,
        endpoint=request.path,
        client=request.headers.get("User-Agent", "")[:LONGEST_CLIENT],
        key=access_key(),
    )


def access_key() -> AccessKey | None:
    """Return the access key that this request came with; None for the owner."""
    key: AccessKey | None = g.get("access_key")
    return key


def register_request_ids(app: Flask) -> None:
    """Give every request an id, which its answer, its log lines and its trace carry."""

    @app.before_request
    def assign_id() -> None:
        g.request_id = new_id()
        request_id.set(g.request_id)

    @app.teardown_request
    def forget_id(_: BaseException | None) -> None:
        request_id.set(None)

    @app.after_request
    def show_id(response: Response) -> Response:
        response.headers["x-request-id"] = g.get("request_id") or new_id()
        return response
