"""The way in and out."""

import pytest

from .conftest import csrf_token

OUTSIDE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "evil",
]


def test_pages_lead_to_the_login_and_back(client, token):
    answer = client.get("/traces?page=2")
    assert answer.status_code == 302
    form = client.get(answer.location)
    answer = client.post("/login", data={"token": token, "csrf_token": csrf_token(form.text), "next": "/traces?page=2"})
    assert (answer.status_code, answer.location) == (302, "/traces?page=2")
    assert 'value="/traces?page=2"' in form.text


def test_the_link_logs_in_and_takes_the_token_out_of_the_address(client, token):
    answer = client.get(f"/login?token={token}")
    assert (answer.status_code, answer.location) == (302, "/")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("destination", OUTSIDE)
def test_a_login_never_leads_to_another_site(client, token, destination):
    answer = client.get("/login", query_string={"token": token, "next": destination})
    assert answer.location == "/"


def test_a_wrong_token_is_said_to_be_wrong(client):
    page = client.get("/login").text
    answer = client.post("/login", data={"token": "not this one", "csrf_token": csrf_token(page)})
    assert answer.status_code == 401
    assert "This is not the token." in answer.text
    assert client.get("/").status_code == 302


def test_a_form_from_elsewhere_does_not_log_in(client, token):
    answer = client.post("/login", data={"token": token})
    assert answer.status_code == 403
    assert "Please try again" in answer.text
    assert client.get("/").status_code == 302


def test_guessing_tokens_is_slowed_down(client):
    for _ in range(5):
        client.get("/login?token=guess")
    answer = client.get("/login?token=guess")
    assert answer.status_code == 429


def test_who_is_logged_in_needs_no_login_page(visitor):
    assert visitor.get("/login?next=/models").location == "/models"


def test_logging_out_ends_the_session(visitor):
    page = visitor.get("/").text
    assert visitor.post("/logout", data={"csrf_token": csrf_token(page)}).location == "/login"
    assert visitor.get("/").status_code == 302


@pytest.mark.parametrize("path", ["/logout", "/chat/messages"])
def test_a_session_changes_nothing_without_the_pages_token(visitor, path):
    assert visitor.post(path, json={}).status_code == 403
    assert visitor.get("/").status_code == 200


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client, token):
    cookie = client.get(f"/login?token={token}").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert token not in cookie
