"""Who may come in: programs with the bearer token, browsers with a session that the token opened."""

import hashlib
import hmac
import re

from flask import Flask, Request, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, validate_csrf
from werkzeug.wrappers import Response
from wtforms import ValidationError

from premrunner.errors import Forbidden, Unauthorized
from premrunner.extensions import csrf
from premrunner.web.errors import API_PREFIXES
from premrunner.web.services import services

# Everything else needs a token or a session.
PUBLIC_ENDPOINTS = {
    *("static", "status.verify_token", "status.health", "openapi.show_document"),
    *("ui.login", "ui.open_session", "ui.assets.send", "ui.assets.favicon"),
}
# Where models are called, under either prefix: the only places for access keys.
KEY_BLUEPRINTS = (
    *("v1_chat", "v1_completions", "v1_embeddings", "v1_responses", "v1_messages"),
    *("v1_models", "prem_models", "openapi"),
)
READING = {"GET", "HEAD", "OPTIONS"}
BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)

SESSION_PROOF = "proof"
CSRF_HEADER = "X-CSRFToken"


def is_token(candidate: str) -> bool:
    """Compare with the access token in constant time."""
    return hmac.compare_digest(candidate.encode(), services().token.encode())


def check_token(candidate: str) -> None:
    """Let a token through, counting wrong ones by address.

    Raises:
        TooManyAttempts: Too many were wrong.
        Unauthorized: This one is.
    """
    address = request.remote_addr or ""
    attempts = services().attempts
    attempts.check(address)
    if not is_token(candidate):
        attempts.failed(address)
        raise Unauthorized("Invalid token")


def open_session() -> None:
    """Begin a session for this browser; one from before the login does not survive it."""
    session.clear()
    session[SESSION_PROOF] = _proof()
    session.permanent = True


def _proof() -> str:
    """Return what a session holds: it ends when the token changes, and does not show the token."""
    return hashlib.sha256(b"session:" + services().token.encode()).hexdigest()


def has_session() -> bool:
    """Whether the browser is logged in."""
    return hmac.compare_digest(str(session.get(SESSION_PROOF, "")), _proof())


def require_login() -> Response | None:
    """Refuse whoever is not known; runs before every request."""
    if request.endpoint in PUBLIC_ENDPOINTS or request.method == "OPTIONS":
        return None
    if request.endpoint == "metrics.show" and current_app.config["METRICS_ACCESS"] == "public":
        return None
    secret = shown_secret()
    if secret:
        if not is_token(secret):
            _take_access_key(secret)
        return None
    if has_session():
        _check_origin()
        return None
    if request.path.startswith(API_PREFIXES):
        raise Unauthorized("Authentication required")
    return redirect(url_for("ui.login", next=request.full_path.rstrip("?") if request.method == "GET" else None))


def shown_secret() -> str:
    """Return what a program shows: a bearer token, or the header that Anthropic's SDKs send."""
    bearer = BEARER.fullmatch(request.headers.get("Authorization", ""))
    return bearer[1] if bearer else request.headers.get("x-api-key", "").strip()


def _take_access_key(secret: str) -> None:
    """Let an access key call models, within its limits, and nothing else.

    Raises:
        Unauthorized: There is no such key.
        Forbidden: Keys may not do this.
        TooManyAttempts: A limit is reached.
    """
    key = services().keys.find(secret)
    if key is None:
        raise Unauthorized("Invalid token")
    if request.endpoint is None:
        return  # Nothing is there, and the answer will say so.
    if request.method == "DELETE" or not (request.blueprint or "").startswith(KEY_BLUEPRINTS):
        raise Forbidden("An access key may only call models. Use the access token for this.")
    g.access_key = key
    if request.method == "POST":
        g.allowance = services().keys.use(key)
        g.allowance.require()


def _check_origin() -> None:
    """A browser's session may change things only from our own pages."""
    if request.method in READING or not current_app.config["WTF_CSRF_ENABLED"]:
        return
    try:
        if sent := request.headers.get(CSRF_HEADER):
            validate_csrf(sent)  # Without a look at the body, which for an upload is gigabytes.
        else:
            csrf.protect()
    except (CSRFError, ValidationError) as error:
        raise Forbidden("This page is too old, or another site asked. Reload it and try again.") from error


class QuietSessions(SecureCookieSessionInterface):
    """Flask's sessions, without the work of opening one for a program that brings none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session that a request came with, or an empty one."""
        if self.get_cookie_name(app) not in request.cookies:
            return SecureCookieSession()
        return super().open_session(app, request)


def register_auth(app: Flask) -> None:
    """Guard the app."""
    app.session_interface = QuietSessions()
    app.before_request(require_login)
