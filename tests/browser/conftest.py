from collections.abc import Iterator

import pytest
from conftest import LiveServer, start_server, stop_server
from playwright.sync_api import Browser, BrowserContext, Page

from .complaints import Complaints
from .tour import Sights, prepare


@pytest.fixture(scope="session")
def sights(live_server) -> Sights:
    """What the shared server has to show."""
    return prepare(live_server)


def _without_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_server(tmp_path_factory.mktemp("empty") / "data", PREMRUNNER_STARTER="none")
    yield server
    stop_server(server)


@pytest.fixture(scope="session")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with an engine and nothing else."""
    yield from _without_models(tmp_path_factory)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The same, for one test alone."""
    yield from _without_models(tmp_path_factory)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, live_server) -> Iterator[Page]:
    """A page that has logged in by the link; at the end it must not have complained."""
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page, live_server.url)
    page.goto(f"{live_server.url}/login?token={live_server.token}")
    yield page
    assert complaints == []
