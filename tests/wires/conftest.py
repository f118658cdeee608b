"""The application over a scripted engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from premrunner.engine.ownership import claim
from premrunner.engine.state import EngineState, EngineStatus, write_state
from premrunner.storage.paths import DataPaths

from .scripted_engine import Script, scripted_engine


@pytest.fixture
def engine(app: Flask) -> Iterator[Script]:
    """The engine that the application finds running."""
    with scripted_engine() as (port, script):
        state = EngineState(EngineStatus.RUNNING, "ollama", "0.33.0", "127.0.0.1", port, owner_pid=os.getpid())
        run_folder = DataPaths(Path(app.config["DATA_PATH"])).run
        ownership = claim(run_folder)
        write_state(run_folder, state)
        yield script
        app.extensions["premrunner"].chat.engine._find_pool().close()
        ownership.release()
