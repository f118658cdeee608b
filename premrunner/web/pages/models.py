"""The pages of models: what is on its way, what is here, and each one by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request

from premrunner.domain.catalog import tagged
from premrunner.errors import ModelNotFound
from premrunner.events import ImportRecord
from premrunner.web.pages.model_card import card_of, snippets_of
from premrunner.web.services import services

bp = Blueprint("models", __name__)


@dataclass(frozen=True)
class Underway:
    """An upload or an import that is no model yet, as the page shows it before its script does.

    Attributes:
        status: ``uploading`` or ``uploaded`` for an upload; otherwise the import's.
        message: A sentence about how it is.
        hint: What to do about a failure.
    """

    id: str
    name: str
    status: str
    message: str = ""
    hint: str = ""


@bp.get("/models")
def show() -> str:
    """Show every model that there is, and those on their way."""
    event_number = services().feed.latest()  # Before the rest is read, so that nothing comes between.
    imports = services().imports.all()
    loaded, unfinished = _loaded(), {record.id for record in imports if record.status != "ready"}
    cards = [
        card_of(model, loaded)
        for model in services().catalog.listed()
        if model.record is None or model.record.id not in unfinished
    ]
    return render_template(
        "models.html",
        cards=cards,
        underway=_underway(imports),
        event_number=event_number,
        can_pull=services().pulling.is_offered(),
        starter=services().starter.progress(),
    )


@bp.get("/models/<model:model_id>")
def show_one(model_id: str) -> str:
    """Show one model: what it is, where it came from, how it answers and how to call it."""
    model = next((model for model in services().catalog.listed() if model.answers_to(model_id)), None)
    if model is None:
        raise ModelNotFound(model_id)
    snippets = snippets_of(model, request.host_url.rstrip("/"))
    return render_template("model.html", card=card_of(model, _loaded()), snippets=snippets)


def _loaded() -> set[str]:
    return {tagged(model.name) for model in services().engine.report().loaded}


def _underway(imports: Sequence[ImportRecord]) -> list[Underway]:
    """Return what is no model yet, newest first."""
    known = {record.id for record in imports}
    uploads = [
        Underway(status.upload.id, status.upload.name, "uploading" if status.expires_at else "uploaded")
        for status in services().uploads.all()
        if status.upload.id not in known
    ]
    under_import = [
        Underway(record.id, record.name, record.status, record.error, record.hint)
        for record in reversed(imports)
        if record.status != "ready"
    ]
    return [*uploads, *under_import]
