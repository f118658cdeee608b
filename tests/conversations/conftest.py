"""The application over an engine that speaks at a test's pace."""

import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from premrunner.app import create_app
from premrunner.config import Settings
from premrunner.domain.chat import ChatCall
from premrunner.extensions import db
from premrunner.records import Caller, ChatMessage, ChatRequest, new_id
from premrunner.web.services import Services
from tests.databases import each_database
from tests.engine_of_tests import found_running

from .paced_engine import Pace, paced_engine

database_url = each_database


@pytest.fixture
def pace(app: Flask) -> Iterator[Pace]:
    """The engine that the application finds running."""
    with paced_engine() as (port, pace), found_running(app, port):
        yield pace
        app.extensions["premrunner"].answering.end()


@pytest.fixture
def services(app: Flask) -> Services:
    return app.extensions["premrunner"]


@pytest.fixture
def other_worker(settings: Settings, pace: Pace) -> Iterator[Services]:
    """A second web process over the same database."""
    app = create_app(settings)
    yield app.extensions["premrunner"]
    app.extensions["premrunner"].tracing.close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def ask(services: Services) -> Callable[..., ChatMessage]:
    """Ask in a new conversation and return the answer that is being written."""

    def ask_new(text: str = "What is the capital of France?", *, wants_title: bool = False) -> ChatMessage:
        conversation = services.conversations.begin(text, "m", {})
        question = services.conversations.add_question(conversation.id, None, text, (), "m")
        caller = Caller(new_id(), "/chat")
        answer = services.conversations.add_answer(question, "m", caller.request_id)
        messages = [{"role": "user", "content": text}]
        call = ChatCall(ChatRequest("m", messages), messages, {"model": "m"})
        services.answering.start(answer, call, caller, wants_title=wants_title)
        return answer

    return ask_new


def until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "It never came so."
        time.sleep(0.01)
