"""Access keys, in the settings."""

import re

import pytest

from tests.databases import each_database

database_url = each_database


@pytest.fixture
def browser(client, token):
    client.get(f"/login?token={token}")
    return client


def post(browser, path, **fields):
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/settings").text)[1]
    return browser.post(path, data={"csrf_token": csrf, **fields})


def test_a_key_is_shown_once_and_works(browser, app):
    made = post(browser, "/keys", name="Laptop", requests_per_minute="60")
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    secret = re.search(r'id="secret">(premrunner-[^<]+)<', made.text)[1]
    again = browser.get("/settings").text
    assert secret not in again
    assert "Laptop" in again
    assert ">60<" in again
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    answer = app.test_client().post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.json["error"]["code"] == "engine_not_ready"


def test_a_revoked_key_is_gone(browser, app):
    made = post(browser, "/keys", name="Laptop")
    secret = re.search(r'id="secret">(premrunner-[^<]+)<', made.text)[1]
    path = re.search(r'action="(/keys/[^"]+/revoke)"', browser.get("/settings").text)[1]
    assert post(browser, path).status_code == 302
    assert "Laptop is revoked." in browser.get("/settings").text
    assert "Laptop" not in browser.get("/settings").text
    assert app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "characters"),
        ({"name": "x", "tokens_per_day": "many"}, "whole number"),
        ({"name": "x", "tokens_per_day": "-1"}, "whole number"),
        ({"name": "x", "requests_per_minute": "9" * 30}, "whole number"),
    ],
)
def test_a_wrong_form_says_what_is_wrong_and_keeps_what_was_typed(browser, fields, problem):
    answer = post(browser, "/keys", **fields)
    assert answer.status_code == 400
    assert problem in answer.text
    assert f'value="{fields["name"]}"' in answer.text
    assert browser.get("/settings").text.count("/revoke") == 0


def test_a_second_key_of_one_name_is_refused(browser):
    post(browser, "/keys", name="Laptop")
    assert post(browser, "/keys", name="Laptop").status_code == 400


def test_names_are_inert(browser):
    name = "<script>alert(1)</script>"
    assert name not in post(browser, "/keys", name=name).text


def test_another_site_can_make_no_key(browser):
    assert browser.post("/keys", data={"name": "theirs"}).status_code == 403
    assert "theirs" not in browser.get("/settings").text
