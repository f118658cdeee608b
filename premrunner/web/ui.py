"""The pages: what they share, and the way in and out."""

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from premrunner.errors import Forbidden, TooManyAttempts, Unauthorized
from premrunner.extensions import csrf
from premrunner.web import auth, ui_assets, ui_chat, ui_models, ui_traces
from premrunner.web.errors import face_of
from premrunner.web.services import services

bp = Blueprint("ui", __name__)
for page in (ui_assets, ui_chat, ui_models, ui_traces):
    bp.register_blueprint(page.bp)


@bp.app_context_processor
def shared() -> dict[str, Any]:
    """Give every template what the frame around it needs."""
    return {"asset": ui_assets.asset_url, "is_logged_in": auth.has_session(), "engine": services().engine.report}


@bp.app_template_filter("bytes")
def size_text(size_bytes: int) -> str:
    """Return a size as people say it, in the decimal units of disks and downloads."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@bp.app_template_filter("milliseconds")
def duration_text(duration_ms: float) -> str:
    """Return a duration with as many digits as matter."""
    if duration_ms < 1000:
        return f"{duration_ms:.0f} ms"
    if duration_ms < 100_000:
        return f"{duration_ms / 1000:.{2 if duration_ms < 10_000 else 1}f} s"
    return f"{duration_ms / 60_000:.0f} min"
