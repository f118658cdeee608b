"""No caller makes this server ask somebody else."""

import socket

import pytest

URLS = [
    "http://169.254.169.254/latest/meta-data",
    "https://evil.example/x.png",
    "file:///etc/passwd",
    "//evil.example/x",
]


@pytest.fixture
def closed_world(monkeypatch):
    """Note every address that is asked for."""
    asked = []
    real = socket.socket.connect

    def connect(self, address):
        asked.append(address)
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return asked


def strangers(asked):
    """Those who are not the engine next door."""
    return [address for address in asked if address[0] != "127.0.0.1" or address[1] == 22]


pytestmark = pytest.mark.usefixtures("engine")


@pytest.mark.parametrize("url", URLS)
def test_a_picture_in_a_chat_is_never_fetched(api, closed_world, url):
    picture = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": "m", "messages": [{"role": "user", "content": [picture]}]}
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
        assert api.post(path, json=body | {"input": body["messages"], "max_tokens": 1}).status_code == 400
    assert strangers(closed_world) == []


@pytest.mark.parametrize("name", ["evil.example/owner/model", "http://evil.example/model", "127.0.0.1:22/x/y:z"])
def test_a_models_name_makes_the_engine_fetch_nothing(api, closed_world, name):
    body = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
    assert api.post("/v1/chat/completions", json=body).status_code in (404, 503)
    assert api.post("/v1/models/up", json={"model": name}).status_code in (400, 404, 503)
    assert strangers(closed_world) == []
