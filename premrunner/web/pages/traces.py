"""The pages of traces: the list, and one call with its conversation rebuilt."""

from typing import Any

import orjson
from flask import Blueprint, render_template, request

from premrunner.web.pages.conversation import turns_of
from premrunner.web.pages.timing import phases_of
from premrunner.web.parsing import page_number
from premrunner.web.services import services
from premrunner.web.traces import LAST_PAGE

bp = Blueprint("traces", __name__)

TRACES_A_PAGE = 50


@bp.get("/traces")
def list_page() -> str:
    """Show the calls, newest first."""
    page = services().tracing.page(page_number(request, "page", 1, LAST_PAGE), TRACES_A_PAGE)
    return render_template("traces.html", page=page)


@bp.get("/traces/<trace_id>")
def show(trace_id: str) -> str:
    """Show one call: what was said, how long each part took, and with which parameters."""
    trace = services().tracing.get(trace_id)
    return render_template(
        "trace.html",
        trace=trace,
        turns=turns_of(trace),
        phases=phases_of(trace),
        parameters=_parameters(orjson.loads(trace.parameters), set(orjson.loads(trace.ignored))),
    )


def _parameters(given: dict[str, Any], ignored: set[str]) -> list[tuple[str, str, bool]]:
    """Return each parameter's name, its value as the caller wrote it, and whether it had no effect."""
    return [
        (name, value if isinstance(value, str) else orjson.dumps(value).decode(), name in ignored)
        for name, value in given.items()
        if name not in ("model", "stream")  # The page's head says these.
    ]
