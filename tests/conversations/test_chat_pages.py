"""The chat's pages and what their script asks for, over an engine that speaks at a test's pace."""

import base64
import json

import pytest
from web_pages.conftest import csrf_token
from web_pages.reading import Page

from premrunner.records import new_id

from .conftest import until

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


class Visitor:
    """A browser that has logged in, and whose script asks."""

    def __init__(self, client, token):
        client.get(f"/login?token={token}")
        self.client = client
        self.headers = {"X-CSRFToken": csrf_token(client.get("/models").text), "Accept": "application/json"}

    def get(self, path):
        return self.client.get(path)

    def page(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def send(self, path, body, method="POST"):
        return self.client.open(path, method=method, json=body, headers=self.headers)

    def begin(self, text="What is the capital of France?", **fields):
        shown = self.send("/chat/messages", {"model": "m", "text": text, **fields})
        assert shown.status_code == 200, shown.text
        return shown.json


@pytest.fixture
def visitor(client, token, pace):
    return Visitor(client, token)


@pytest.fixture
def settled(services):
    """Wait until no answer is being written any more."""
    return lambda: until(lambda: not services.answering._live)


def answers_of(page):
    return [attributes for tag, attributes in page.tags if attributes.get("data-role") == "assistant"]


def test_a_question_begins_a_conversation_with_an_address_of_its_own(visitor, pace, settled):
    begun = visitor.begin(settings={"system": "Be brief.", "temperature": 0.5, "num_ctx": 512, "stop": ["END"]})
    [answer] = answers_of(Page(begun["html"]))
    assert answer["data-status"] == "running"
    pace.say("**Paris.**")
    pace.finish()
    settled()
    page = visitor.page(begun["url"])
    assert "Paris." in page.text
    assert "4 tokens · 100.0 tokens/s" in page.text
    assert "2 % of context" in page.text
    assert page.is_inert
    [asked] = pace.chats
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked["options"] == {"num_ctx": 512, "temperature": 0.5, "stop": ["END"]}


def test_an_answer_is_followed_as_events_with_its_numbers_and_the_new_title(visitor, pace):
    begun = visitor.begin()
    pace.say("**Paris.**")
    pace.finish()
    [answer] = answers_of(Page(begun["html"]))
    events = visitor.get(answer["data-events"])
    assert events.mimetype == "text/event-stream"
    told = [json.loads(line[6:]) for line in events.text.splitlines() if line.startswith("data: ")]
    assert "".join(event.get("settled", "") + event.get("open", "") for event in told).endswith("</strong></p>\n")
    [end] = [event["end"] for event in told if "end" in event]
    assert end["status"] == "done"
    assert "tokens/s" in Page(end["foot"]).text
    assert told[-1] == {"title": "Capital of France"}


def test_an_answer_is_stopped_from_any_page(visitor, pace, services, settled):
    begun = visitor.begin()
    pace.say("Once upon")
    [answer] = answers_of(Page(begun["html"]))
    path = answer["data-events"].replace("/events", "/stop")
    until(lambda: next(services.answering.follow(answer["data-message"])).content)
    assert visitor.send(path, {}).status_code == 204
    settled()
    page = visitor.page(begun["url"])
    assert "Stopped" in page.text
    assert any("data-continue" in attributes for attributes in page.find("button"))


def test_a_cut_answer_is_gone_on_with(visitor, pace, settled):
    begun = visitor.begin()
    pace.say("Once upon")
    pace.finish(done_reason="length")
    settled()
    [answer] = answers_of(visitor.page(begun["url"]))
    assert "Cut at the token limit" in visitor.page(begun["url"]).text
    assert visitor.send(answer["data-events"].replace("/events", "/continue"), {}).status_code == 200
    pace.say(" a time.")
    pace.finish()
    settled()
    assert "Once upon a time." in visitor.page(begun["url"]).text
    assert pace.chats[-1]["messages"][-1] == {"role": "assistant", "content": "Once upon"}


def test_an_edited_question_and_another_models_answer_are_versions(visitor, pace, settled):
    begun = visitor.begin()
    pace.say("Paris.")
    pace.finish()
    settled()
    edited = visitor.send(f"{begun['url']}/messages", {"model": "m", "text": "And of Italy?", "parent": None}).json
    assert "2/2" in Page(edited["html"]).text
    pace.say("Rome.")
    pace.finish()
    settled()
    assert "Paris." not in visitor.page(begun["url"]).text
    question = Page(edited["html"]).tags[0][1]["data-message"]
    again = visitor.send(f"{begun['url']}/answers", {"model": "other", "question": question}).json
    pace.say("Roma.")
    pace.finish()
    settled()
    [answer] = answers_of(Page(again["html"]))
    assert pace.chats[-1]["model"] == "other:latest"
    page = visitor.page(begun["url"])
    assert "Roma." in page.text
    [back] = [
        link["href"] for link in page.find("a") if link.get("aria-label") == "Previous version" and "href" in link
    ][1:]
    assert "Rome." in visitor.page(back.split("#")[0]).text
    compared = visitor.page(f"{begun['url']}/compare?of={question}")
    assert "Rome." in compared.text
    assert "Roma." in compared.text
    assert answer["data-model"] == "other"


def test_two_models_answer_one_question_side_by_side(visitor, pace, settled):
    begun = visitor.send("/chat/messages", {"models": ["m", "other"], "text": "Hello"}).json
    answers = answers_of(Page(begun["html"]))
    assert [answer["data-model"] for answer in answers] == ["m", "other"]
    for _ in answers:
        pace.say("Hi.")
        pace.finish()
        until(lambda: pace.lines.empty())
    settled()
    assert visitor.page(f"{begun['url']}/compare").text.count("Hi.") == 2
    assert {chat["model"] for chat in pace.chats} == {"m:latest", "other:latest"}


def test_a_picture_goes_to_models_that_see_and_is_shown_from_here(visitor, pace, settled):
    begun = visitor.begin("What is this?", model="seeing", images=[PICTURE])
    pace.say("A dot.")
    pace.finish()
    settled()
    assert pace.chats[0]["messages"][-1]["images"] == [PICTURE.partition(",")[2]]
    page = visitor.page(begun["url"])
    [source] = [image["src"] for image in page.find("img") if image["src"].startswith("/chat/images/")]
    picture = visitor.get(source)
    assert (picture.data, picture.mimetype) == (PNG, "image/png")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    follow_up = visitor.send(
        f"{begun['url']}/messages", {"model": "m", "text": "?", "parent": answers_of(page)[0]["data-message"]}
    )
    assert follow_up.status_code == 400
    assert "cannot look at pictures" in follow_up.json["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": "  "}, "text"),
        ({"text": "x", "images": [PICTURE]}, "model"),
        ({"text": "x", "model": "seeing", "images": ["data:image/svg+xml;base64,PHN2Zz4="]}, "images"),
        ({"text": "x", "model": "seeing", "images": ["https://example.org/x.png"]}, "images"),
        ({"text": "x", "model": "seeing", "images": ["data:image/png;base64,!"]}, "images"),
        ({"text": "x", "model": "seeing", "images": [PICTURE] * 9}, "images"),
        ({"text": "x", "settings": {"temperature": 9}}, "temperature"),
        ({"text": "x", "settings": {"color": "red"}}, "color"),
        ({"text": "x", "models": ["m", "m", "m"]}, "models"),
        ({"text": "x", "parent": 3}, None),
    ],
)
def test_what_is_wrong_is_refused_and_named_and_nothing_is_kept(visitor, services, fields, param):
    answer = visitor.send("/chat/messages", {"model": "m", **fields})
    assert answer.status_code == 400
    assert answer.json["error"]["param"] == (param or "parent")
    assert services.conversations.latest() == []


def test_a_model_that_is_not_there_is_a_404(visitor, services):
    answer = visitor.send("/chat/messages", {"model": "nobody", "text": "x"})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "model_not_found")
    assert services.conversations.latest() == []


def test_settings_and_titles_change_and_wrong_ones_do_not(visitor, pace, services, settled):
    url = visitor.begin()["url"]
    pace.finish()
    settled()
    assert visitor.send(url, {"title": " A\ntitle "}, "PATCH").json == {"title": "A title"}
    assert visitor.send(url, {"settings": {"top_k": 3, "stop": [], "system": ""}}, "PATCH").status_code == 200
    refused = visitor.send(url, {"settings": {"top_k": -1}}, "PATCH")
    assert (refused.status_code, refused.json["error"]["param"]) == (400, "top_k")
    assert services.conversations.get(url.split("/")[-1]).settings == {"top_k": 3}
    assert visitor.send(url, {}, "DELETE").status_code == 204
    assert visitor.get(url).status_code == 404


def test_the_list_can_be_read_and_searched_page_by_page_without_a_script(visitor, services):
    for index in range(35):
        services.conversations.begin(f"Question number {index}", "m", {})
    first = visitor.page("/chat/conversations")
    [older] = [link["href"] for link in first.find("a") if "data-more" in link]
    second = visitor.page(older)
    assert "Question number 34" in first.text
    assert "Question number 4" not in first.text
    assert "Question number 4" in second.text
    found = visitor.page("/chat/conversations?q=NUMBER+17")
    assert "Question number 17" in found.text
    assert "Question number 18" not in found.text
    for wrong in ("x", "2026-01-01", "2026-01-01T00:00:00_1", f"2026-01-01T00:00:00_{new_id()}"):
        assert visitor.get(f"/chat/conversations?after={wrong}").status_code == 400


def test_a_conversation_is_exported_as_markdown_and_as_json(visitor, pace, settled):
    begun = visitor.begin(settings={"system": "Be brief."})
    pace.say(thinking="Hm.\nFrance.")
    pace.say("**Paris.**")
    pace.finish()
    settled()
    markdown = visitor.get(f"{begun['url']}/export.md")
    assert markdown.mimetype == "text/markdown"
    assert markdown.headers["Content-Disposition"].startswith("attachment; filename=capital-of-france.md")
    assert markdown.text == (
        "# Capital of France\n\n## System\n\nBe brief.\n\n## You\n\nWhat is the capital of France?\n\n"
        "## m:latest\n\n> Hm.\n> France.\n\n**Paris.**\n"
    )
    exported = json.loads(visitor.get(f"{begun['url']}/export.json").text)
    question, answer = exported["messages"]
    assert exported["settings"] == {"system": "Be brief."}
    assert (answer["parentId"], answer["content"], answer["completionTokens"]) == (question["id"], "**Paris.**", 4)
    assert visitor.get(f"{begun['url']}/export.exe").status_code == 400
    assert visitor.get(f"{begun['url']}/messages/{answer['id']}").text == "**Paris.**"


def test_nothing_that_anybody_writes_becomes_markup(visitor, pace, settled):
    pace.title = SCRIPT
    begun = visitor.begin(SCRIPT, settings={"system": f"</textarea>{SCRIPT}", "stop": [SCRIPT]})
    pace.say(thinking=SCRIPT)
    pace.say(SCRIPT + "\n\n$\\text{" + SCRIPT + "}$")
    pace.finish()
    settled()
    visitor.send(begun["url"], {"title": f'"><b>{SCRIPT[:50]}'}, "PATCH")
    for path in (
        begun["url"],
        f"{begun['url']}/compare",
        "/chat/conversations?q=script",
        f"/chat/conversations?q={SCRIPT}",
    ):
        page = visitor.page(path)
        assert page.is_inert, path
        assert all(image["src"].startswith(("/assets/", "/chat/images/")) for image in page.find("img"))
        assert page.find("b") == []


def test_another_conversations_messages_are_not_reached(visitor, pace, settled):
    first, second = visitor.begin(), visitor.begin()
    for _ in range(2):
        pace.finish()
    settled()
    [answer] = answers_of(Page(first["html"]))
    for path in (
        f"?at={answer['data-message']}",
        f"/messages/{answer['data-message']}",
        f"/compare?of={answer['data-message']}",
    ):
        assert visitor.get(second["url"] + path).status_code == 404
    again = visitor.send(f"{second['url']}/answers", {"model": "m", "question": answer["data-message"]})
    assert again.status_code == 404


def test_nothing_changes_without_a_token_of_our_page(visitor):
    visitor.headers = {"Accept": "application/json"}
    assert visitor.send("/chat/messages", {"model": "m", "text": "x"}).status_code == 403
