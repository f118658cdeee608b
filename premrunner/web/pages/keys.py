"""Access keys, in the settings: make one, see it once, end it."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.errors import InvalidRequest
from premrunner.web.access_keys import LARGEST_LIMIT
from premrunner.web.pages import settings
from premrunner.web.services import services

bp = Blueprint("keys", __name__)


@bp.get("/keys")
def show() -> ResponseReturnValue:
    """Lead to where the access keys are."""
    return redirect(url_for("ui.settings.show", _anchor="keys"))


@bp.post("/keys")
def create() -> Response:
    """Make an access key and show it, this once."""
    form = request.form
    try:
        made = services().keys.create(
            form.get("name", ""),
            models=form.getlist("model"),
            requests_per_minute=settings.limit("requests_per_minute", LARGEST_LIMIT),
            tokens_per_day=settings.limit("tokens_per_day", LARGEST_LIMIT),
        )
    except InvalidRequest as error:
        return settings.page(400, problem=error.message, form=form)
    return settings.page(made=made)


@bp.post("/keys/<key_id>/revoke")
def revoke(key_id: str) -> ResponseReturnValue:
    """End an access key at once."""
    revoked = services().keys.revoke(key_id)
    flash(f"{revoked.name} is revoked.")
    return redirect(url_for("ui.settings.show", _anchor="keys"))
