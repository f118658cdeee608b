"""The pages: what they share, and the way in and out."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from premrunner.errors import TooManyAttempts, Unauthorized
from premrunner.extensions import csrf
from premrunner.web import auth
from premrunner.web.errors import face_of
from premrunner.web.pages import assets, chat, chat_actions, keys, models, settings, trace_detail, trace_keeping
from premrunner.web.pages.formats import ENGINE_NAMES, ENGINE_STATES, FILTERS
from premrunner.web.services import services

bp = Blueprint("ui", __name__)
for part in (assets, chat, chat_actions, keys, models, settings, trace_detail, trace_keeping):
    bp.register_blueprint(part.bp)


def register_pages(app: Flask) -> None:
    """Put the pages into the app, and give every template what the frame around it needs."""
    app.register_blueprint(bp)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # A part that imported it would make its module anew wherever it is included.
    app.jinja_env.globals["icon"] = vars(app.jinja_env.get_template("parts/icons.html").module)["icon"]

    @app.context_processor
    def shared() -> dict[str, Any]:
        return {
            "asset": assets.asset_url,
            "is_logged_in": auth.has_session(),
            "engine_report": services().engine.report,
            "engine_names": ENGINE_NAMES,
            "engine_states": ENGINE_STATES,
            "theme": settings.theme(),
            "has_shortcuts": settings.has_shortcuts(),
        }


@bp.get("/login")
def login() -> ResponseReturnValue:
    """Ask for the token, or take it from the link that the terminal showed."""
    if "token" in request.args:
        return _enter(request.args["token"])
    if auth.has_session():
        return redirect(_destination())
    return _form()


@bp.post("/login")
def open_session() -> ResponseReturnValue:
    """Take the token from the form."""
    try:
        if current_app.config["WTF_CSRF_ENABLED"]:
            csrf.protect()
    except CSRFError:
        return _form("This page was open for too long. Please try again.", 403)
    return _enter(request.form.get("token", ""))


@bp.post("/logout")
def close_session() -> ResponseReturnValue:
    """End this browser's session."""
    session.clear()
    return redirect(url_for("ui.login"))


def _enter(token: str) -> ResponseReturnValue:
    try:
        auth.check_token(token.strip())
    except Unauthorized as error:
        message = "This is not the token." if token.strip() else "Paste the token first."
        return _form(message, face_of(error).status)
    except TooManyAttempts as error:
        return _form(error.message, face_of(error).status)
    auth.open_session()
    return redirect(_destination())


def _form(message: str = "", status: int = 200) -> ResponseReturnValue:
    return render_template("login.html", message=message, next=_destination()), status


def _destination() -> str:
    """Return where a login leads: a path of this site, whatever the link says."""
    wanted = request.values.get("next", "")
    # Browsers read "//host" and "/\\host" as another site, and drop tabs and line ends before they look.
    is_local = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if is_local and not urlsplit(wanted).netloc else url_for("ui.chat.show")
