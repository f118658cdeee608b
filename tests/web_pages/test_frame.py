"""What all pages share."""

import gzip
import re

import pytest
from sqlalchemy import event

from premrunner.extensions import db

from .reading import Page

PAGES = ["/", "/models", "/traces", "/settings", "/reference", "/nothing-here", "/traces/0"]


@pytest.mark.parametrize("path", [*PAGES, "/login", "/health", "/v1/models", "/assets/0/site.css"])
def test_every_answer_forbids_what_is_inline_or_from_elsewhere(visitor, path):
    with visitor.get(path) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_scripts_or_styles(visitor, path):
    page = Page(visitor.get(path).text)
    assert page.is_inert
    assert not page.find("style")


@pytest.mark.parametrize("path", PAGES)
def test_pages_fetch_only_from_us_and_label_their_main_part(visitor, path):
    page = Page(visitor.get(path).text)
    tags = [tag for name in ("script", "link", "img") for tag in page.find(name) if tag.get("rel") != "expect"]
    fetched = [tag.get("src") or tag.get("href", "") for tag in tags]
    assert fetched
    assert all(address.startswith("/assets/") for address in fetched)
    assert len(page.find("h1")) == 1
    assert page.find("main")[0]["id"] == "content"
    assert page.find("html")[0]["lang"] == "en"


def test_an_error_page_works_for_strangers_and_shows_them_nothing(client):
    answer = client.get("/traces", headers={"Authorization": "Bearer wrong-token"})
    assert answer.status_code == 401
    page = Page(answer.text)
    assert "Please log in" in page.text
    assert not page.find("nav")
    assert not page.find("script")


def test_an_unknown_page_says_so(visitor):
    answer = visitor.get("/nothing-here")
    assert answer.status_code == 404
    assert "There is no page at /nothing-here." in answer.text


def test_the_text_of_an_error_is_no_markup(visitor):
    answer = visitor.get("/chat/conversations?after=<script>alert(1)</script>")
    assert answer.status_code == 400
    assert Page(answer.text).is_inert
    answer = visitor.get("/<img src=x onerror=alert(1)>")
    assert Page(answer.text).is_inert


def test_files_are_kept_by_the_browser_until_they_change(client):
    stylesheet = re.search(r'href="(/assets/\w+/site.css)"', client.get("/login").text)[1]
    with client.get(stylesheet) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_texts_are_sent_packed_to_those_who_can_unpack_them(client):
    stylesheet = re.search(r'href="(/assets/\w+/site.css)"', client.get("/login").text)[1]
    plain = client.get(stylesheet)
    packed = client.get(stylesheet, headers={"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 3
    assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, "gzip")
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["Cache-Control"] == plain.headers["Cache-Control"]
    assert packed.mimetype == "text/css"
    plain.close()


@pytest.mark.parametrize("name", ["../ui.py", "..%2fui.py", "js/../../ui.py", "nothing.css"])
def test_no_other_file_can_be_fetched(client, name):
    for accepted in ("gzip", "identity"):
        assert client.get(f"/assets/0/{name}", headers={"Accept-Encoding": accepted}).status_code == 404


def test_pages_are_not_kept_for_the_next_user_of_a_browser(visitor):
    assert visitor.get("/traces").headers["Cache-Control"] == "private, no-cache"


def test_the_engine_is_shown_with_why_it_does_not_run(visitor):
    page = visitor.get("/").text
    assert 'data-state="stopped"' in page
    assert "Nobody runs the engine." in page


@pytest.mark.parametrize("path", ["/", "/models", "/traces", "/settings"])
def test_a_page_asks_the_database_as_often_for_many_calls_as_for_few(app, visitor, services, record, path):
    def questions() -> int:
        asked = []
        with app.app_context():
            engine = db.engine

        def note(*_):
            asked.append(1)

        services.catalog.forget()  # It remembers its answer for two seconds.
        event.listen(engine, "before_cursor_execute", note)
        visitor.get(path)
        event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    def add(number: int) -> None:
        for _ in range(number):
            record()
        visitor.get("/traces")  # Whoever reads waits until they are written.

    add(2)
    visitor.get(path)
    few = questions()
    add(60)
    # One answer is remembered for a moment, and on a busy machine the moment may be over.
    assert questions() <= few + 1 <= 12
