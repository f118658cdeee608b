"""The engine under test: the built-in one, or the real Ollama that ``PREMRUNNER_TEST_OLLAMA`` names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from builtin.running import EngineClient, RunningEngine
from conftest import find_free_port

MODEL = "premrunner-contract:135m"


@pytest.fixture(scope="session")
def blank_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    """The engine, whatever models it has."""
    if address := os.environ.get("PREMRUNNER_TEST_OLLAMA"):
        yield EngineClient(f"http://{address.removeprefix('http://')}")
        return
    engine = RunningEngine(find_free_port(), tmp_path_factory.mktemp("contract") / "store").wait_until_ready()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def digest(blank_engine: EngineClient, starter_gguf: Path) -> str:
    """Digest of the starter model's file, which the engine has."""
    return blank_engine.push(starter_gguf)


@pytest.fixture(scope="session")
def engine(blank_engine: EngineClient, digest: str) -> Iterator[EngineClient]:
    """The engine with the starter model as `MODEL`."""
    blank_engine.create(MODEL, files={"SmolLM2.gguf": digest})
    yield blank_engine
    blank_engine.post("/api/generate", {"model": MODEL, "keep_alive": 0})
    blank_engine.delete(MODEL)
