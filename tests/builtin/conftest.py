"""An engine for all tests that leave it as it was, and files to feed it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import find_free_port

from builtin.running import RunningEngine

MODEL = "smollm2:135m"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, starter_gguf: Path) -> Iterator[RunningEngine]:
    """One engine with the starter model, shared; a test that needs another state starts its own."""
    engine = RunningEngine(find_free_port(), tmp_path_factory.mktemp("engine") / "store").wait_until_ready()
    engine.create(MODEL, files={"model.gguf": engine.push(starter_gguf)})
    yield engine
    engine.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningEngine]]:
    """Start an engine of the test's own, with options of the command line."""
    started: list[RunningEngine] = []

    def start_engine(*options: str, store: Path = tmp_path / "store") -> RunningEngine:
        started.append(RunningEngine(find_free_port(), store, *options))
        return started[-1]

    yield start_engine
    for engine in started:
        engine.process.kill()
        engine.process.wait()
        engine.session.close()


@pytest.fixture
def start_with_model(start, starter_gguf: Path) -> Callable[..., RunningEngine]:
    """Start an engine of the test's own that has the starter model."""

    def start_engine(*options: str) -> RunningEngine:
        engine = start(*options).wait_until_ready()
        engine.create(MODEL, files={"model.gguf": engine.push(starter_gguf)})
        return engine

    return start_engine
