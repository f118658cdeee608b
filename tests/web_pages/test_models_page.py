"""The page of models."""

import pytest

from premrunner.extensions import db
from premrunner.storage.database import Database
from premrunner.storage.model_store import ModelStore

from .reading import Page

NASTY = '"><script>alert(1)</script>{{7*7}}'


@pytest.fixture
def add_model(app):
    def add(name: str, alias: str) -> None:
        with app.app_context():
            ModelStore(Database(db.engine)).add(name, alias, 98_200_000)

    return add


def test_an_empty_page_tells_why(visitor):
    assert "The engine is not running" in visitor.get("/models").text


def test_a_model_shows_its_names_and_size(visitor, add_model):
    add_model("My bot", "my-bot")
    text = Page(visitor.get("/models").text).text
    for shown in ("My bot", "my-bot", "98 MB", "Not ready", "1 on this machine"):
        assert shown in text


def test_the_examples_call_this_model_on_this_server(api, add_model):
    add_model("My bot", "my-bot")
    text = Page(api.get("/models", base_url="http://box.local:3001").text).text
    assert "curl http://box.local:3001/v1/chat/completions" in text
    assert 'OpenAI(base_url="http://box.local:3001/v1"' in text
    assert 'PremAI(base_url="http://box.local:3001"' in text
    assert text.count('"my-bot"') == 3


@pytest.mark.parametrize("path", ["/", "/models"])
def test_a_name_is_never_markup(visitor, add_model, path):
    add_model(NASTY, "nasty")
    page = Page(visitor.get(path).text)
    assert page.is_inert
    assert NASTY in page.text
