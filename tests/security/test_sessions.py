"""Sessions begin with the token, end with it, and are not given by others."""

from dataclasses import replace

from premrunner.app import create_app, prepare_database


def test_a_session_from_before_the_login_does_not_survive_it(client, token):
    with client.session_transaction() as planted:
        planted["planted"] = "by somebody else"
        planted["csrf_token"] = "known to somebody else"
    before = client.get_cookie("premrunner_session").value
    client.get(f"/login?token={token}")
    assert client.get_cookie("premrunner_session").value != before
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "known to somebody else"


def test_a_session_ends_when_the_token_changes(settings, client, token):
    client.get(f"/login?token={token}")
    assert client.get("/models").status_code == 200
    cookie = client.get_cookie("premrunner_session").value
    other = create_app(replace(settings, auth_token="another-token-now"))
    prepare_database(other)
    browser = other.test_client()
    browser.set_cookie("premrunner_session", cookie)
    assert browser.get("/models").status_code == 302


def test_a_cookie_that_was_changed_is_no_session(client, token):
    client.get(f"/login?token={token}")
    cookie = client.get_cookie("premrunner_session").value
    client.set_cookie("premrunner_session", cookie[:-2] + ("AA" if cookie[-2:] != "AA" else "BB"))
    assert client.get("/models").status_code == 302


def test_a_login_by_link_leaves_the_token_in_no_address_and_no_referrer(client, token):
    answer = client.get(f"/login?token={token}")
    assert token not in answer.location
    assert answer.headers["Referrer-Policy"] == "no-referrer"
