"""Every page of the site and how a visitor gets there; a page that is not on the tour fails a test."""

from dataclasses import dataclass

from conftest import LiveServer
from flask import Flask

# What a browser asks for that is no page: files, parts of pages, and addresses that only lead on.
NO_PAGES = {
    *("ui.assets.send", "ui.assets.favicon", "ui.keys.show"),
    *("ui.chat.models", "ui.chat.image", "ui.chat.source", "ui.chat.export", "ui.chat_actions.follow"),
    *("ui.traces.show_news", "ui.traces.picture"),
}


@dataclass(frozen=True)
class Stop:
    """A page.

    Attributes:
        name: What tests and pictures call it.
        endpoint: Its view; empty for what has none.
        path: Its address, with the names of ``Sights`` in braces.
        says: What its main part says without scripts, when there is something to see.
        is_outside: Whether one comes here without having logged in.
    """

    name: str
    endpoint: str
    path: str
    says: str
    is_outside: bool = False


TOUR = (
    Stop("login", "ui.login", "/login", "Log in to PremRunner", is_outside=True),
    Stop("error", "", "/nothing-here", "Nothing is here"),
    Stop("chat", "ui.chat.show", "/", "What would you like to know?"),
    Stop("conversation", "ui.chat.read", "/chat/{conversation_id}", "Paris"),
    Stop("conversations", "ui.chat.list_page", "/chat/conversations", "What is the capital of France?"),
    Stop("compare new", "ui.chat.compare_new", "/chat/compare", "One question, two models"),
    Stop("compare", "ui.chat.compare", "/chat/{conversation_id}/compare", "Paris"),
    Stop("models", "ui.models.show", "/models", "SmolLM2 135M Instruct"),
    Stop("model", "ui.models.show_one", "/models/smollm2-135m-instruct", "Use from code"),
    Stop("traces", "ui.traces.list_page", "/traces", "smollm2-135m-instruct"),
    Stop("trace", "ui.traces.show", "/traces/{trace_id}", "Paris"),
    Stop("settings", "ui.settings.show", "/settings", "Laptop"),
    Stop("reference", "api_reference.show", "/reference", "/v1/chat/completions"),
)


@dataclass(frozen=True)
class Sights:
    """What there is to see on a server; ids that addresses of pages need."""

    trace_id: str = ""
    conversation_id: str = ""


def prepare(server: LiveServer) -> Sights:
    """Give a server something to show: calls, good and bad, and an access key."""
    answer = server.chat("What is the capital of France?")
    server.post("/v1/chat/completions", {"model": "nobody", "messages": [{"role": "user", "content": "Hello"}]})
    if not server.get("/api/keys").json()["keys"]:
        server.post("/api/keys", {"name": "Laptop", "requestsPerMinute": 60})
    trace_id = answer.headers["x-request-id"]
    opened = server.get(f"/chat?from_trace={trace_id}")
    return Sights(trace_id=trace_id, conversation_id=opened.url.rsplit("/", 1)[1])


def pages_of(app: Flask) -> set[str]:
    """Return the views that a browser shows, by the app's own list of routes."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return {rule.endpoint for rule in rules if rule.endpoint.startswith(("ui.", "api_reference."))} - NO_PAGES
