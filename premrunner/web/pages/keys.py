"""The page of access keys: make one, see it once, see who was there last, end it."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.domain.keys import NewKey
from premrunner.errors import InvalidRequest
from premrunner.web.access_keys import LARGEST_LIMIT
from premrunner.web.services import services

bp = Blueprint("keys", __name__)


@bp.get("/keys")
def show() -> Response:
    """Show the access keys."""
    return _page()


@bp.post("/keys")
def create() -> Response:
    """Make an access key and show it, this once."""
    form = request.form
    try:
        made = services().keys.create(
            form.get("name", ""),
            models=form.getlist("model"),
            requests_per_minute=_limit("requests_per_minute"),
            tokens_per_day=_limit("tokens_per_day"),
        )
    except InvalidRequest as error:
        return _page(problem=error.message, status=400)
    return _page(made=made)


@bp.post("/keys/<key_id>/revoke")
def revoke(key_id: str) -> ResponseReturnValue:
    """End an access key at once."""
    services().keys.revoke(key_id)
    return redirect(url_for("ui.keys.show"))


def _limit(name: str) -> int | None:
    text = request.form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= LARGEST_LIMIT):
        raise InvalidRequest("A limit must be a whole number above 0; leave it empty for none.", param=name)
    return int(text)


def _page(made: NewKey | None = None, problem: str = "", status: int = 200) -> Response:
    answer = make_response(
        render_template(
            "keys.html",
            keys=services().keys.all(),
            models=services().catalog.known(),
            made=made,
            problem=problem,
            form=request.form if problem else {},
        ),
        status,
    )
    if made:  # Nor in the browser's history.
        answer.headers["Cache-Control"] = "no-store"
    return answer
