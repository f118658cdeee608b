"""The application over a scripted engine."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.engine_of_tests import found_running

from .scripted_engine import Script, scripted_engine


@pytest.fixture
def engine(app: Flask) -> Iterator[Script]:
    """The engine that the application finds running."""
    with scripted_engine() as (port, script), found_running(app, port):
        yield script
