from collections.abc import Iterator

import pytest
from conftest import LiveServer, start_server, stop_server

from .tour import Sights, prepare


@pytest.fixture(scope="session")
def sights(live_server) -> Sights:
    """What the shared server has to show."""
    return prepare(live_server)


@pytest.fixture(scope="session")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with an engine and nothing else."""
    server = start_server(tmp_path_factory.mktemp("empty") / "data", PREMRUNNER_STARTER="none")
    yield server
    stop_server(server)
