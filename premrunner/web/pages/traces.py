"""The list of traces: filtered, charted, alive, exported and deleted."""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    flash,
    get_template_attribute,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from premrunner.domain.tracing import OLDEST, Place, TracePage
from premrunner.records import Feedback, Trace, TraceFilter, new_id
from premrunner.web.pages.trace_chart import charts_of
from premrunner.web.services import services
from premrunner.web.trace_filter import FILTER, trace_filter
from premrunner.web.traces import place_of

bp = Blueprint("traces", __name__)

TRACES_A_PAGE = 50
# More than a person watches at once; whoever has more running sees them when they end.
MOST_WATCHED = 50
# Found texts are counted up to here.
MOST_COUNTED = 10_000

RANGES = (("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days"))
STATUSES = (("ok", "ok"), ("error", "error"), ("cancelled", "stopped"), ("interrupted", "interrupted"))
FEELINGS = (("up", "Good"), ("down", "Bad"), ("corrected", "Corrected"), ("any", "Any feedback"))
FORMATS = (
    ("openai", "Messages for fine-tuning", "JSONL as OpenAI's fine-tuning takes it"),
    ("alpaca", "Alpaca", "JSONL with instruction, output, history"),
    ("preference", "Preference pairs", "JSONL with chosen and rejected, of corrected answers"),
    ("jsonl", "Everything", "JSONL, a call a line"),
    ("json", "Everything, as one list", "JSON"),
    ("csv", "Table", "CSV for spreadsheets"),
)


@bp.get("/traces")
def list_page() -> str:
    """Show the calls, newest first."""
    wanted, place = trace_filter(request.args), place_of(request.args)
    found = services().tracing.listing(wanted, place, TRACES_A_PAGE)
    page = found.page
    keeping, disk_bytes = services().trace_retention.keeping()
    return render_template(
        "traces.html",
        page=page,
        feedback=found.feedback,
        total=_total(wanted, found.total),
        charts=charts_of(services().trace_statistics.over(wanted)),
        choices=found.choices,
        given=_given(),
        places=_places(page),
        newest=page.traces[0].id if page.traces else new_id(),
        is_newest=place == Place(),
        keeping=keeping,
        disk_bytes=disk_bytes,
        ranges=RANGES,
        statuses=STATUSES,
        feelings=FEELINGS,
        formats=FORMATS,
    )


@bp.get("/traces/news")
def show_news() -> Response:
    """Answer with what has come since, for a page that is open: new rows, changed rows, and the figures."""
    wanted, tracing = trace_filter(request.args), services().tracing
    new = tracing.page(wanted, Place(after=request.args.get("newest") or OLDEST.after), TRACES_A_PAGE).traces
    watched = [trace_id for trace_id in request.args.get("running", "").split(",") if trace_id][:MOST_WATCHED]
    changed = [trace for trace in tracing.summaries(watched) if trace.status != "running"]
    if not new and not changed:
        return jsonify(rows="", changed={}, figures="")
    feedback = tracing.feedback([trace.id for trace in (*new, *changed)])
    charts = charts_of(services().trace_statistics.over(wanted))
    return jsonify(
        rows="".join(_row(trace, feedback) for trace in new),
        changed={trace.id: _row(trace, feedback) for trace in changed},
        newest=new[0].id if new else "",
        figures=render_template("parts/trace_figures.html", charts=charts, given=_given()),
        total=_total(wanted, tracing.count(wanted)),
    )


@bp.post("/traces/delete")
def delete_all() -> ResponseReturnValue:
    """Delete the calls of a filter that were there when the page was shown."""
    wanted = trace_filter(request.form)
    services().tracing.settle()
    deleted = services().trace_retention.delete_all(wanted, request.form.get("newest", ""))
    flash(f"{deleted:,} {'call' if deleted == 1 else 'calls'} deleted.")
    return redirect(url_for("ui.traces.list_page"))


def _row(trace: Trace, feedback: Mapping[str, Feedback]) -> str:
    row = get_template_attribute("parts/trace_row.html", "trace_row")
    return str(row(trace, feedback.get(trace.id)))


def _given() -> dict[str, str]:
    """Return the fields of the filter as they stand in the address."""
    names = [parameter.name for parameter in FILTER]
    return {name: request.args[name] for name in names if request.args.get(name)}


def _total(wanted: TraceFilter, total: int) -> str:
    is_least = wanted.words and total >= MOST_COUNTED
    return f"{total:,}{' or more' if is_least else ''} {'call' if total == 1 else 'calls'}"


def _places(page: TracePage) -> dict[str, str]:
    """Return the addresses of the pages beside this one."""
    places: dict[str, dict[str, str]] = {}
    if page.traces and page.has_newer:
        places |= {"newest": {}, "newer": {"after": page.traces[0].id}}
    if page.traces and page.has_older:
        places |= {"older": {"before": page.traces[-1].id}, "oldest": {"after": OLDEST.after}}
    address, given = url_for("ui.traces.list_page"), _given()
    return {name: f"{address}?{urlencode(given | place)}".rstrip("?") for name, place in places.items()}
