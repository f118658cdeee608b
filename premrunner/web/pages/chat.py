"""The chat's pages: a new conversation, one that there is, the list of all, two models side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from premrunner.domain.conversations.conversations import Branch
from premrunner.domain.conversations.from_trace import begin_from_trace
from premrunner.errors import InvalidRequest
from premrunner.records import Conversation, FoundConversation, ListPlace, is_id
from premrunner.web.pages import chat_export
from premrunner.web.pages.chat_settings import SETTINGS
from premrunner.web.pages.chat_view import ModelChoice, branch_views, model_choices, speakers, view_of
from premrunner.web.pages.pictures import send_picture
from premrunner.web.services import services

bp = Blueprint("chat", __name__)

FIRST_PROMPTS = (
    "What is the capital of France?",
    "Explain what a language model is, in three sentences.",
    "Write a Python function that reverses a string.",
    "Give me three names for a coffee shop by the sea.",
)


@bp.get("/chat")
@bp.get("/")  # The nearer one is the address that links lead to.
def show() -> str | AnyResponse:
    """Show a conversation that has not begun, with ``?model``; or begin one from a recorded call, and go there."""
    if trace_id := request.args.get("from_trace"):
        conversation = begin_from_trace(services().conversations, services().tracing.get(trace_id))
        return redirect(url_for("ui.chat.read", conversation_id=conversation.id), 303)
    return _page("chat.html", first_prompts=FIRST_PROMPTS, starter=services().starter.progress())


@bp.get("/chat/<conversation_id>")
def read(conversation_id: str) -> str:
    """Show a conversation, on the branch that goes through ``?at``, or what comes before ``?before``."""
    arguments = request.args
    branch = services().conversations.branch(conversation_id, arguments.get("at"), arguments.get("before"))
    return _page("chat.html", branch=branch, views=branch_views(branch), conversation=branch.conversation)


@bp.get("/chat/<conversation_id>/compare")
def compare(conversation_id: str) -> str:
    """Show two answers to one question side by side: those of ``?of``, or of the conversation's beginning."""
    conversations = services().conversations
    question_id = request.args.get("of") or _first_question(conversations.branch(conversation_id))
    question = conversations.message(conversation_id, question_id)
    names = speakers()
    answers = [view_of(answer, (), names) for answer in conversations.answers(question)[-2:]]
    conversation = conversations.get(conversation_id)
    return _page("compare.html", conversation=conversation, question=view_of(question, (), names), answers=answers)


@bp.get("/chat/compare")
def compare_new() -> str:
    """Ask two models at once."""
    return _page("compare.html", answers=[])


@bp.get("/chat/conversations")
def list_page() -> str:
    """Show the conversations behind those of ``?after``, or those that hold the words of ``?q``."""
    return _page("conversations.html")


@bp.get("/chat/models")
def models() -> str:
    """Show the models to choose from, for a picker that is opened."""
    return render_template("parts/model_choices.html", choices=model_choices(services().catalog.listed()))


@bp.get("/chat/images/<image_id>")
def image(image_id: str) -> Response:
    """Send a picture of a message; it never changes."""
    found = services().conversations.image(image_id)
    return send_picture(found.data, found.media_type)


@bp.get("/chat/<conversation_id>/messages/<message_id>")
def source(conversation_id: str, message_id: str) -> Response:
    """Send a message as its author wrote it."""
    message = services().conversations.message(conversation_id, message_id)
    return Response(message.content, content_type="text/markdown; charset=utf-8")


@bp.get("/chat/<conversation_id>/export.<kind>")
def export(conversation_id: str, kind: str) -> Response:
    """Send a conversation as a file: the branch that is read as Markdown, or everything as JSON."""
    if kind not in ("md", "json"):
        raise InvalidRequest("A conversation is exported as 'md' or 'json'.")
    conversations = services().conversations
    if kind == "md":
        branch = conversations.branch(conversation_id, request.args.get("at"), most=10**9)
        body, mimetype = chat_export.markdown(branch, speakers()), "text/markdown"
    else:
        exported = chat_export.json_object(*conversations.whole(conversation_id))
        body, mimetype = orjson.dumps(exported, option=orjson.OPT_INDENT_2).decode(), "application/json"
    name = chat_export.file_name(conversations.get(conversation_id).title, kind)
    response = Response(body, content_type=f"{mimetype}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _page(template: str, **values: Any) -> str:
    """Render a page with the list of conversations and the models beside it."""
    shown: dict[str, Any] = {"conversation": None, "branch": None, "views": [], "settings": SETTINGS, **_listed()}
    choices = model_choices(services().catalog.listed())
    shown |= {**values, "choices": choices}
    conversation = shown["conversation"] or _newest(shown)
    wanted = request.args.get("model") or (conversation.model if conversation else "")
    return render_template(template, chosen=_chosen(choices, wanted), wanted=wanted, **shown)


def _newest(shown: Mapping[str, Any]) -> Conversation | None:
    found: Sequence[FoundConversation] = shown["found"]
    return found[0].conversation if found else None


def _chosen(choices: Sequence[ModelChoice], wanted: str) -> ModelChoice | None:
    """Return the model to begin with: the wanted one, or the first that can be asked."""
    ready = [choice for choice in choices if choice.state != "missing"]
    return next(iter([*(choice for choice in ready if choice.model.answers_to(wanted)), *ready]), None)


def _listed() -> dict[str, Any]:
    """Return what the list shows: a search's finds, or a page of all, with where the next one begins."""
    words = request.args.get("q", "").strip()
    if words:
        return {"found": services().conversations.search(words), "words": words, "next_page": ""}
    latest = _latest()
    has_more = len(latest) == services().conversations.page_size
    return {
        "found": [FoundConversation(conversation) for conversation in latest],
        "words": "",
        "next_page": f"{latest[-1].updated_at.isoformat()}_{latest[-1].id}" if has_more else "",
    }


def _latest() -> list[Conversation]:
    written, _, conversation_id = request.args.get("after", "").partition("_")
    if not written:
        return list(services().conversations.latest())
    try:
        moment = datetime.fromisoformat(written)
    except ValueError as error:
        raise InvalidRequest("'after' is no place in the list.", param="after") from error
    if moment.tzinfo is None or not is_id(conversation_id):
        raise InvalidRequest("'after' is no place in the list.", param="after")
    return list(services().conversations.latest(ListPlace(moment, conversation_id)))


def _first_question(branch: Branch) -> str:
    questions = [message.id for message in branch.messages if message.role == "user"]
    if not questions:
        raise InvalidRequest("This conversation holds no question yet.")
    return questions[0]
