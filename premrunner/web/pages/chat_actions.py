"""What the chat's script asks for: say something, answer again, go on, stop, follow, rename, set, delete."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from premrunner.domain.conversations.images import MOST_IMAGES, image_of
from premrunner.errors import InvalidRequest
from premrunner.records import ChatMessage, Conversation, Image, new_id
from premrunner.web import parsing
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.pages.chat_settings import chat_call, read_settings, require_sight
from premrunner.web.pages.chat_stream import event_stream
from premrunner.web.pages.chat_view import MessageView, speakers, view_of
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("chat_actions", __name__)

MOST_MODELS = 2
# Traces tell by it where a call came from.
ENDPOINT = "/chat"

PICTURES = Parameter("images", parsing.sequence, meaning="Pictures as data URLs.")
MODEL = Parameter("model", parsing.text, meaning="Who answers.", is_required=True)
QUESTION = (
    Parameter("text", parsing.any_text, meaning="What the user says."),
    Parameter("parent", parsing.text, meaning="The message that it follows."),
    PICTURES,
)
BEGINNING = (Parameter("settings", parsing.mapping, meaning="What the conversation is set to."),)


@bp.post("/chat/messages")
def begin() -> Response:
    """Begin a conversation with a question, and have it answered; by two models at once, if two are named."""
    body = json_object(request)
    wanted = parsing.fields((*QUESTION, *BEGINNING), body)
    models = _models(body)
    text, images = _said(wanted, models)
    settings = read_settings(wanted.get("settings", {}))
    conversation = services().conversations.begin(text, models[0], settings)
    question = services().conversations.add_question(conversation.id, None, text, images, models[0])
    answers = [_start(conversation, question, model, is_first=index == 0) for index, model in enumerate(models)]
    return _shown(conversation, [question, *answers])


@bp.post("/chat/<conversation_id>/messages")
def say(conversation_id: str) -> Response:
    """Say something behind an answer, or anew in the place of a message, and have it answered."""
    body = json_object(request)
    wanted, models = parsing.fields(QUESTION, body), _models(body)
    text, images = _said(wanted, models)
    conversation = services().conversations.get(conversation_id)
    question = services().conversations.add_question(conversation_id, wanted.get("parent"), text, images, models[0])
    return _shown(conversation, [question, _start(conversation, question, models[0])])


@bp.post("/chat/<conversation_id>/answers")
def answer_again(conversation_id: str) -> Response:
    """Have a question answered once more, by the same model or another."""
    body = json_object(request)
    wanted = parsing.fields((Parameter("question", parsing.text, is_required=True), MODEL), body)
    require_engine()
    services().catalog.resolve(wanted["model"])
    conversation = services().conversations.get(conversation_id)
    question = services().conversations.message(conversation_id, wanted["question"])
    return _shown(conversation, [_start(conversation, question, wanted["model"])])


@bp.post("/chat/<conversation_id>/answers/<message_id>/continue")
def go_on(conversation_id: str, message_id: str) -> Response:
    """Go on with an answer that was cut, from its last word."""
    require_engine()
    conversations = services().conversations
    conversation, message = conversations.get(conversation_id), conversations.message(conversation_id, message_id)
    who = replace(caller(), endpoint=ENDPOINT)
    call = chat_call(conversation, conversations.path(conversation_id, message_id), message.model)
    resumed = conversations.resume(message, who.request_id)
    services().answering.start(resumed, call, who)
    return _shown(conversation, [resumed])


@bp.post("/chat/<conversation_id>/answers/<message_id>/stop")
def stop(conversation_id: str, message_id: str) -> ResponseReturnValue:
    """Stop an answer; whoever follows it sees its end."""
    services().answering.stop(services().conversations.message(conversation_id, message_id).id)
    return "", 204


@bp.get("/chat/<conversation_id>/answers/<message_id>/events")
def follow(conversation_id: str, message_id: str) -> Response:
    """Follow an answer: what it says already, the rest as it comes, and its numbers."""
    services().conversations.message(conversation_id, message_id)  # An error has a status before the first event.
    names = speakers()

    def ending(message: ChatMessage) -> dict[str, Any]:
        view = view_of(message, services().conversations.versions(message), names)
        return {
            "status": message.status,
            "error": message.error,
            "thought": view.thought,
            "foot": render_template("parts/answer_foot.html", view=view),
        }

    def title() -> str:
        services().answering.wait_for_title(message_id)
        return services().conversations.get(conversation_id).title

    return event_stream(services().answering.follow(message_id), ending, title)


@bp.patch("/chat/<conversation_id>")
def change(conversation_id: str) -> Response:
    """Rename a conversation, or set what it is set to."""
    body = json_object(request)
    wanted = parsing.fields((Parameter("title", parsing.any_text), *BEGINNING), body)
    conversations = services().conversations
    if "title" in wanted:
        conversations.rename(conversation_id, wanted["title"])
    if "settings" in wanted:
        conversations.set(conversation_id, read_settings(wanted["settings"]))
    return jsonify(title=conversations.get(conversation_id).title)


@bp.delete("/chat/<conversation_id>")
def delete(conversation_id: str) -> ResponseReturnValue:
    """Delete a conversation; its calls stay among the traces."""
    services().conversations.remove(conversation_id)
    return "", 204


def _models(body: Mapping[str, Any]) -> list[str]:
    """Return who shall answer: ``model``, or each of ``models``; all of them there and ready."""
    named = body.get("models")
    models = [parsing.text("model", body.get("model"))] if named is None else parsing.sequence("models", named)
    if not 1 <= len(models) <= MOST_MODELS:
        raise InvalidRequest(f"'models' names from one to {MOST_MODELS}.", param="models")
    require_engine()
    for model in models:
        services().catalog.resolve(parsing.text("models", model))
    return models


def _said(wanted: Mapping[str, Any], models: Sequence[str]) -> tuple[str, list[Image]]:
    """Return what the user says, and the pictures that come with it, which every model must be able to see."""
    text, urls = wanted.get("text", "").strip(), wanted.get("images", [])
    if len(urls) > MOST_IMAGES:
        raise InvalidRequest(f"A message carries {MOST_IMAGES} pictures at most.", param="images")
    if not text and not urls:
        raise InvalidRequest("There is nothing to say yet.", param="text")
    images = [_image(url) for url in urls]
    for model in models if images else ():
        require_sight(model)
    # Pictures are read back by their ids, so these stand in the order of the pictures.
    return text, [replace(image, id=image_id) for image, image_id in zip(images, sorted(_ids(images)), strict=True)]


def _ids(images: Sequence[Image]) -> list[str]:
    return [image.id for image in images]


def _image(url: Any) -> Image:
    head, _, encoded = parsing.text("images", url).partition(";base64,")
    if not head.startswith("data:"):
        raise InvalidRequest("'images' must be data URLs.", param="images")
    try:
        return image_of(base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        raise InvalidRequest("'images' must be base64.", param="images") from error


def _start(conversation: Conversation, question: ChatMessage, model: str, *, is_first: bool = False) -> ChatMessage:
    """Have a question answered; the answer goes on whether or not anybody follows it."""
    conversations = services().conversations
    who = replace(caller(), request_id=new_id(), endpoint=ENDPOINT)
    call = chat_call(conversation, conversations.path(conversation.id, question.id), model)
    answer = conversations.add_answer(question, model, who.request_id)
    services().answering.start(answer, call, who, wants_title=is_first)
    return answer


def _shown(conversation: Conversation, messages: Sequence[ChatMessage]) -> Response:
    """Return new messages as the page puts them in."""
    names = speakers()
    views: list[MessageView] = [
        view_of(message, services().conversations.versions(message), names) for message in messages
    ]
    return jsonify(
        id=conversation.id,
        url=url_for("ui.chat.read", conversation_id=conversation.id),
        title=conversation.title,
        html=render_template("parts/messages.html", views=views, conversation=conversation),
        item=render_template("parts/conversation_item.html", found={"conversation": conversation, "excerpt": ""}),
    )
