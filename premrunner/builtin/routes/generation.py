"""Chats and completions."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from premrunner.builtin.answers import Generation, answer_lines, load
from premrunner.builtin.body import Body
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.options import read_options
from premrunner.builtin.prompts import Question, chat_question, raw_question
from premrunner.builtin.refusals import Refusal, model_missing
from premrunner.builtin.routes.streaming import answer_json, answer_stream
from premrunner.builtin.runners import RunnerPlan
from premrunner.builtin.services import services
from premrunner.builtin.translate import Delta, chat_line, generate_line

bp = Blueprint("generation", __name__)

# Makes a line of an answer out of the model's name and a piece.
LineMaker = Callable[[str, Delta], dict[str, Any]]


@bp.post("/api/chat")
def chat() -> Response:
    """Answer a chat, in lines or whole; without messages, load or unload the model."""
    body = Body.of(request)
    if not body.model():
        raise Refusal("model is required")
    manifest = _manifest(body.model())
    messages = body.objects("messages")
    if not messages and _is_unload(body):
        return _unload(body, manifest, chat_line)
    _require_completion(body, manifest, "chat")
    if not messages:
        return _load(body, manifest, chat_line)
    return _answer(body, manifest, chat_question(body, messages, manifest), chat_line)


@bp.post("/api/generate")
def generate() -> Response:
    """Answer a prompt, through the model's template or raw; without a prompt, load or unload the model."""
    body = Body.of(request)
    if not body.model():
        raise model_missing("")
    manifest = _manifest(body.model())
    is_empty = not body.text("prompt") and not body.text("suffix")
    if is_empty and _is_unload(body):
        return _unload(body, manifest, generate_line)
    _require_completion(body, manifest, "generate")
    is_raw = body.flag("raw")
    if body.text("template"):
        raise Refusal("this engine takes a template only when a model is created")
    if is_raw and (body.text("system") or body.get("context")):
        raise Refusal("raw mode does not support template, system, or context")
    if is_empty:
        return _load(body, manifest, generate_line)
    is_completion = is_raw or bool(body.text("suffix"))
    question = raw_question(body, manifest) if is_completion else _as_chat(body, manifest)
    return _answer(body, manifest, question, generate_line)


def _as_chat(body: Body, manifest: Manifest) -> Question:
    system = [{"role": "system", "content": body.text("system")}] if body.text("system") else []
    message = {"role": "user", "content": body.text("prompt"), "images": body.array("images")}
    return chat_question(body, [*system, message], manifest)


def _manifest(model: str) -> Manifest:
    manifest = services().find(model)
    if manifest is None:
        raise model_missing(model)
    return manifest


def _require_completion(body: Body, manifest: Manifest, what: str) -> None:
    if "completion" not in manifest.capabilities:
        raise Refusal(f'"{body.model()}" does not support {what}')


def _is_unload(body: Body) -> bool:
    return services().keep_alive(body.get("keep_alive")) <= 0


def _answer(body: Body, manifest: Manifest, question: Question, line: LineMaker) -> Response:
    built = services()
    is_streamed = body.flag("stream", default=True)
    generation = Generation(
        plan=built.planner.plan(manifest, question.context_tokens),
        keep_alive_seconds=built.keep_alive(body.get("keep_alive")),
        question=question,
        line=partial(line, body.model()),
        is_streamed=is_streamed,
        client=request.environ.get("gunicorn.socket"),
    )
    return answer_stream(answer_lines(built, generation), is_streamed=is_streamed)


def _load(body: Body, manifest: Manifest, line: LineMaker) -> Response:
    keep_alive_seconds = services().keep_alive(body.get("keep_alive"))
    load(services(), _empty_plan(body, manifest), keep_alive_seconds, request.environ.get("gunicorn.socket"))
    return answer_json(line(body.model(), Delta(done_reason="load")))


def _unload(body: Body, manifest: Manifest, line: LineMaker) -> Response:
    """Any model can be taken out of memory, also one that makes vectors alone."""
    plan = _empty_plan(body, manifest)
    services().runners.unload(lambda loaded: loaded.key.is_same_model(plan.key))
    return answer_json(line(body.model(), Delta(done_reason="unload")))


def _empty_plan(body: Body, manifest: Manifest) -> RunnerPlan:
    context_tokens = read_options(manifest.parameters, body.mapping("options")).context_tokens
    return services().planner.plan(manifest, context_tokens)
