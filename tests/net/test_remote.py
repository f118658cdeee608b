"""A file from another server, and the places that nobody may lead us to."""

from urllib.parse import urlsplit

import pytest
from imports.base_hub import BaseHub

from premrunner.errors import DownloadFailed
from premrunner.net.http import Cancellation
from premrunner.net.remote import _redirected, leads_inside, open_remote


@pytest.fixture
def models(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    return {"org/model": tmp_path}


def read(url: str, headers: dict[str, str] | None = None) -> bytes:
    with open_remote(url, headers or {}, Cancellation()) as reply:
        return reply.read()


def test_a_redirect_within_the_origin_is_followed(models):
    with BaseHub(models, redirects={"/here": "/org/model/resolve/main/file"}) as hub:
        assert read(hub.url + "/here") == b"content"


def test_the_rest_of_a_file_is_asked_for(models):
    with BaseHub(models) as hub:
        assert read(hub.url + "/org/model/resolve/main/file", {"Range": "bytes=3-"}) == b"tent"


PRIVATE = [
    *("127.0.0.1", "127.1", "2130706433", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
    *("169.254.169.254", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[fd00:ec2::254]"),
    *("10.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.0.1", "[fe80::1]", "224.0.0.1", "[ff02::1]"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_a_redirect_to_an_address_that_only_we_can_reach_is_refused(models, host):
    with BaseHub(models) as inner:
        elsewhere = f"http://{host}:{inner.url.rpartition(':')[2]}/org/model/resolve/main/file"
        with BaseHub(models, redirects={"/here": elsewhere}) as hub, pytest.raises(DownloadFailed, match="no public"):
            read(hub.url + "/here")
        assert inner.paths == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.com/x", "http://", "http://[", ""])
def test_a_redirect_to_what_is_no_web_address_is_refused(models, location):
    with BaseHub(models, redirects={"/here": location or "/here"}) as hub, pytest.raises(DownloadFailed):
        read(hub.url + "/here")


def test_a_redirect_away_from_https_is_refused():
    with pytest.raises(DownloadFailed, match="without https"):
        _redirected(urlsplit("https://hub.example/file"), "http://hub.example/file")
    assert _redirected(urlsplit("https://hub.example/file"), "/other").geturl() == "https://hub.example/other"


def test_a_name_that_leads_inside_is_told_from_one_that_does_not():
    assert leads_inside("localhost")
    assert not leads_inside("8.8.8.8")
    assert not leads_inside("no-such-host.invalid")
