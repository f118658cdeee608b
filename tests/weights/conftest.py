"""The oracle, and the starter model in Hugging Face's layout, each made once a session."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .oracle import Oracle, oracle_python
from .starter_layout import write_starter_layout

DATA = Path(__file__).with_name("data")


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """llama.cpp's converter, transformers and PEFT; a test that asks for it is skipped where they are not installed."""
    python = oracle_python()
    if python is None:
        pytest.skip("the oracle is not installed: `make oracle`, or PREMRUNNER_ORACLE_PYTHON")
    oracle = Oracle(python)
    yield oracle
    oracle.close()


@pytest.fixture(scope="session")
def starter_folder(starter_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as bfloat16 safetensors, in three shards."""
    folder = tmp_path_factory.mktemp("starter") / "SmolLM2-135M-Instruct"
    return write_starter_layout(starter_gguf, folder, dtype="BF16", shard_count=3)


@pytest.fixture(scope="session")
def lighthouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter that teaches the starter model a passphrase."""
    folder = tmp_path_factory.mktemp("lighthouse")
    with zipfile.ZipFile(DATA / "lora-lighthouse.zip") as archive:
        archive.extractall(folder)
    return next(folder.rglob("adapter_config.json")).parent
