"""By which names the server may be asked."""

from dataclasses import replace

import pytest

from premrunner.app import create_app, prepare_database
from premrunner.config import load_settings
from premrunner.errors import SettingsInvalid

STRANGERS = ["evil.example", "evil.example:3001", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example."]
KNOWN = [
    "127.0.0.1:3001",
    "[::1]:3001",
    "localhost:3001",
    "192.168.1.7",
    "box:3001",
    "box.local",
    "LOCALHOST",
    "a.lan.",
]
OPEN_TO_STRANGERS = ["/login", "/login?token=guess", "/openapi.json", "/static/site.css", "/"]


@pytest.mark.parametrize("path", OPEN_TO_STRANGERS)
@pytest.mark.parametrize("host", STRANGERS)
def test_a_page_that_bound_its_name_to_this_machine_gets_nothing(client, host, path):
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert "ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize("host", KNOWN)
def test_addresses_and_local_names_are_always_known(client, host):
    assert client.get("/login", headers={"Host": host}).status_code == 200


def test_a_name_that_the_owner_gave_is_known(settings):
    app = create_app(replace(settings, allowed_hosts=("chat.example.com",)))
    prepare_database(app)
    client = app.test_client()
    assert client.get("/login", headers={"Host": "chat.example.com:8443"}).status_code == 200
    assert client.get("/login", headers={"Host": "example.com"}).status_code == 403


def test_a_program_with_the_token_comes_by_any_name(api):
    assert api.get("/v1/models", headers={"Host": "proxy.example"}).status_code != 403


def test_a_load_balancer_asks_for_health_by_any_name(client):
    assert client.get("/health", headers={"Host": "proxy.example"}).status_code == 200


@pytest.mark.parametrize("text", ["https://chat.example.com", "chat.example.com:443", "a/b"])
def test_what_is_no_name_is_refused_at_start(text):
    with pytest.raises(SettingsInvalid, match="ALLOWED_HOSTS"):
        load_settings({"ALLOWED_HOSTS": text}, dotenv=None)
