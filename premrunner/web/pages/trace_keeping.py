"""How long calls are kept, in the settings: nothing is deleted before its number was shown and agreed to."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.domain.trace_retention import Keeping
from premrunner.errors import InvalidRequest
from premrunner.web.pages import settings
from premrunner.web.retention import MOST_CALLS, MOST_DAYS
from premrunner.web.services import services

bp = Blueprint("trace_keeping", __name__)


@dataclass(frozen=True)
class Planned:
    """What was asked for, and what it would delete."""

    keeping: Keeping
    outdated: int


@bp.post("/settings/traces")
def keep() -> ResponseReturnValue:
    """Keep calls so long from now on, and delete what is outdated by that once it is agreed to."""
    try:
        keeping = Keeping(settings.limit("days", MOST_DAYS) or 0, settings.limit("count", MOST_CALLS) or 0)
    except InvalidRequest as error:
        return settings.page(400, keeping_problem=error.message, keeping_form=request.form)
    retention = services().trace_retention
    outdated = retention.outdated(keeping)
    if outdated and not request.form.get("agreed"):
        return settings.page(planned=Planned(keeping, outdated))
    retention.keep(keeping)
    deleted = retention.apply()
    gone = f" {deleted:,} {'call is' if deleted == 1 else 'calls are'} deleted." if deleted else ""
    flash(f"Saved.{gone}")
    return redirect(url_for("ui.settings.show", _anchor="traces"))
