"""The page of settings: the engine, access keys, the disk, this browser, and what runs here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.domain.disk import DiskKind, DiskReport
from premrunner.domain.imports.memory_estimate import free_memory_bytes
from premrunner.errors import EngineNotOurs, InvalidRequest
from premrunner.web.pages.formats import size_text
from premrunner.web.services import services

bp = Blueprint("settings", __name__)

THEMES = ("system", "light", "dark")
THEME_COOKIE = "premrunner_theme"
SHORTCUTS_COOKIE = "premrunner_shortcuts"
COOKIE_SECONDS = 365 * 24 * 3600
LOG_LINES_SHOWN = 60
# A part of the bar that is narrower cannot be seen.
LEAST_PERCENT = 0.4


@dataclass(frozen=True)
class KindWords:
    """What the page says of a kind: its name, what it is, and what cleaning it up means."""

    title: str
    meaning: str
    consequence: str = ""


KINDS: Mapping[str, KindWords] = {
    "models": KindWords("Models", "The engine's files. Models are deleted on their page."),
    "bases": KindWords(
        "Bases", "Models that adapters were trained on.", "An adapter that needs one will ask for it again."
    ),
    "unfinished_uploads": KindWords(
        "Unfinished uploads",
        "Kept so that they can go on.",
        "Uploads that were silent for ten minutes are given up. Those that bring bytes now stay.",
    ),
    "finished_uploads": KindWords(
        "Finished uploads",
        "Of imports that wait or have failed.",
        "Imports that failed cannot be tried again without a new upload.",
    ),
    "work_files": KindWords(
        "Work files", "What imports unpack and convert.", "Imports that failed begin anew from their upload."
    ),
    "downloads": KindWords("Downloads", "Files being fetched.", "What a broken download left is deleted."),
    "database": KindWords(
        "Database", "Conversations, traces and settings. Space of deleted rows is used again by new ones."
    ),
    "backups": KindWords("Backups", "The database before each upgrade.", "All but the newest are deleted."),
    "engine": KindWords("Engine", "An Ollama that PremRunner installed."),
    "logs": KindWords("Logs", "What the engine wrote.", "Older logs are deleted; the one being written stays."),
    "other": KindWords("Other", "Keys, locks and what else lies in the data folder."),
}


@dataclass(frozen=True)
class Segment:
    """A part of the bar that shows the disk.

    Attributes:
        name: The kind.
        start_percent: Where it begins.
        width_percent: How wide it is.
    """

    name: str
    start_percent: float
    width_percent: float


@bp.get("/settings")
def show() -> Response:
    """Show the settings."""
    return page()


@bp.post("/settings/engine/restart")
def restart_engine() -> ResponseReturnValue:
    """Have the engine started again."""
    try:
        services().engine.restart()
        flash("The engine is being restarted.")
    except EngineNotOurs as error:
        flash(error.message, "bad")
    return redirect(url_for("ui.settings.show"))


@bp.post("/settings/disk/clean")
def clean_disk() -> ResponseReturnValue:
    """Delete what may go of one kind, and say what came free."""
    kind = request.form.get("kind", "")
    freed = services().disk.clean(kind)
    flash(f"{KINDS[kind].title}: {size_text(freed)} came free." if freed else "Nothing was left to delete.")
    return redirect(url_for("ui.settings.show", _anchor="disk"))


@bp.post("/settings/browser")
def change_browser() -> ResponseReturnValue:
    """Keep what this browser shall look like in cookies, so that pages come in their colours at once."""
    answer = redirect(url_for("ui.settings.show", _anchor="browser"))
    theme, shortcuts = request.form.get("theme"), request.form.get("shortcuts")
    if theme is not None and theme not in THEMES:
        raise InvalidRequest(f"'theme' must be one of {', '.join(THEMES)}.", param="theme")
    if theme:
        answer.set_cookie(THEME_COOKIE, theme, COOKIE_SECONDS, httponly=True, samesite="Lax")
    if shortcuts:
        answer.set_cookie(SHORTCUTS_COOKIE, shortcuts[:3], COOKIE_SECONDS, httponly=True, samesite="Lax")
    return answer


def theme() -> str:
    """Return what this browser chose: a theme, or ``system``."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "system"


def has_shortcuts() -> bool:
    """Whether single keys do something in this browser."""
    return request.cookies.get(SHORTCUTS_COOKIE) != "off"


def limit(name: str, most: int) -> int | None:
    """Return a limit from the form; None when its field is empty.

    Raises:
        InvalidRequest: It is no number, or out of bounds.
    """
    text = request.form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= most):
        raise InvalidRequest(f"A limit must be a whole number from 1 to {most:,}; leave it empty for none.", param=name)
    return int(text)


def page(status: int = 200, **shown: Any) -> Response:
    """Return the page.

    Args:
        status: The answer's.
        shown: What one of its forms led to: ``made`` (an access key, shown this once), ``problem`` with ``form``
            (why none was made), ``planned`` (what another time of keeping would delete), ``keeping_problem`` with
            ``keeping_form``.
    """
    disk = services().disk.report()
    answer = make_response(
        render_template(
            "settings.html",
            about=services().about(),
            memory_bytes=free_memory_bytes(),
            disk=disk,
            segments=_segments(disk),
            kinds=KINDS,
            log=services().engine_log.read(most=LOG_LINES_SHOWN),
            keys=services().keys.all(),
            kept=services().trace_retention.kept(),
            models=services().catalog.known(),
            themes=THEMES,
            **{"form": {}, **shown},
        ),
        status,
    )
    if "made" in shown:  # Nor in the browser's history.
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _segments(disk: DiskReport) -> list[Segment]:
    """Return the bar's parts: each kind's share of what is ours."""
    whole = disk.size_bytes or 1
    segments, start = [], 0.0
    for kind in sorted(disk.kinds, key=_size, reverse=True):
        width = kind.size_bytes * 100 / whole
        if width >= LEAST_PERCENT:
            segments.append(Segment(kind.name, round(start, 2), round(width, 2)))
            start += width
    return segments


def _size(kind: DiskKind) -> int:
    return kind.size_bytes
