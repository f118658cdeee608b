"""One trace: what was said, how long it took, what people say of it, and what can be done with it."""

from dataclasses import replace
from typing import Any

import orjson
from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.records import Feedback, Trace
from premrunner.web import parsing, sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.pages.conversation import picture_of, turns_of
from premrunner.web.pages.pictures import send_picture
from premrunner.web.pages.timing import phases_of
from premrunner.web.pages.trace_code import raw_request, raw_response, samples_of
from premrunner.web.pages.traces import bp
from premrunner.web.pages.word_diff import word_diff
from premrunner.web.services import services
from premrunner.web.traces import checked_feedback
from premrunner.web.wire.recorded_call import replay_of, wire_of

RATINGS = {"good": 1, "bad": -1, "none": 0}


@bp.get("/traces/<trace_id>")
def show(trace_id: str) -> str:
    """Show one call."""
    tracing = services().tracing
    trace = tracing.get(trace_id)
    feedback = tracing.feedback([trace_id]).get(trace_id, Feedback())
    return render_template(
        "trace.html",
        trace=trace,
        turns=turns_of(trace),
        phases=phases_of(trace),
        parameters=_parameters(orjson.loads(trace.parameters), set(orjson.loads(trace.ignored))),
        feedback=feedback,
        difference=word_diff(trace.output, feedback.correction) if feedback.correction else "",
        raw=[raw_request(trace), raw_response(trace)],
        samples=samples_of(trace, request.host_url.rstrip("/")),
        replays=tracing.replays(trace_id),
        original=_original(trace),
        models=[model for model in services().catalog.known() if model.is_ready],
        is_replayable=wire_of(trace) != "/embeddings" and trace.status != "running",
    )


@bp.get("/traces/<trace_id>/pictures/<int:number>")
def picture(trace_id: str, number: int) -> Response:
    """Send a picture that a call carried."""
    return send_picture(*picture_of(services().tracing.get(trace_id), number))


@bp.post("/traces/<trace_id>/feedback")
def judge(trace_id: str) -> ResponseReturnValue:
    """Keep what a person says of the answer; each form of the page sends one part of it."""
    tracing, form = services().tracing, request.form
    feedback = tracing.feedback([trace_id]).get(trace_id, Feedback())
    if "rating" in form:
        word = parsing.choice(*RATINGS)("rating", form["rating"])
        feedback = replace(feedback, rating=RATINGS[word])
    # Browsers send lines as the wire of mails does.
    note, correction = (form.get(name, "").replace("\r\n", "\n").strip() for name in ("note", "correction"))
    if "note" in form:
        feedback = replace(feedback, note=note)
    if "correction" in form:
        is_other = correction != tracing.get(trace_id).output.strip()
        feedback = replace(feedback, correction=correction if is_other else "")
    tracing.judge(trace_id, checked_feedback(feedback))
    return redirect(url_for("ui.traces.show", trace_id=trace_id, _anchor="feedback"))


@bp.post("/traces/<trace_id>/replay")
def replay(trace_id: str) -> ResponseReturnValue:
    """Ask another model the same, and show both answers side by side."""
    require_engine()
    trace = services().tracing.get(trace_id)
    call = replay_of(trace, parsing.text("model", request.form.get("model")))
    chat = services().chat
    run = chat.open(call, replace(caller(), endpoint=trace.endpoint, client="PremRunner (replay)"))
    sse.complete(chat, run)
    return redirect(url_for("ui.traces.show", trace_id=run.id))


@bp.post("/traces/<trace_id>/delete")
def delete(trace_id: str) -> ResponseReturnValue:
    """Delete one call."""
    services().trace_retention.delete(trace_id)
    flash("The call is deleted.")
    return redirect(url_for("ui.traces.list_page"))


def _original(trace: Trace) -> tuple[Trace, str] | None:
    """Return the call that this one repeats, if it is still there, and how the answers differ."""
    if not trace.replay_of:
        return None
    tracing = services().tracing
    if not tracing.summaries([trace.replay_of]):
        return None
    original = tracing.get(trace.replay_of)
    return original, word_diff(original.output, trace.output)


def _parameters(given: dict[str, Any], ignored: set[str]) -> list[tuple[str, str, bool]]:
    """Return each parameter's name, its value as the caller wrote it, and whether it had no effect."""
    return [
        (name, value if isinstance(value, str) else orjson.dumps(value).decode(), name in ignored)
        for name, value in given.items()
        if name not in ("model", "stream")  # The page's head says these.
    ]
