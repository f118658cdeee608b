"""A whole import takes less than 48 MiB of memory, however large it is: measured in a worker of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .archives_of_strangers import many_members, zip_with
from .large_files import HEAD_BYTES, deflated_zip, sparse_gguf, stored_zip
from .recorded_ollama import recorded_ollama

MOST_BYTES = 48 * 1024 * 1024
LARGE_BYTES = 2_400_000_000
TESTS = Path(__file__).parent.parent


def measured(file: Path, data_path: Path) -> dict:
    with recorded_ollama() as ollama:
        command = [sys.executable, "-m", "imports.measured_import", str(file), str(ollama.port), str(data_path)]
        done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("form", ["gguf", "stored", "deflated"])
def test_a_model_of_gigabytes(tmp_path, starter_gguf, form):
    path = sparse_gguf(tmp_path / "model.gguf", LARGE_BYTES, source=starter_gguf)
    if form == "stored":
        path = stored_zip(tmp_path / "a.zip", "model.gguf", path)
    if form == "deflated":
        path = deflated_zip(tmp_path / "a.zip", "model.gguf", head_of(path), path.stat().st_size)
    result = measured(path, tmp_path / "data")
    assert result["status"] == "ready", result
    assert result["grown"] < MOST_BYTES, result


def head_of(path: Path) -> bytes:
    """Return the beginning of a file, its header and more."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def test_an_archive_of_as_many_members_as_there_may_be_with_the_longest_names(tmp_path):
    names = [f"{number:04d}" + "/".join(["n" * 200] * 5) for number in range(1990)]
    path = tmp_path / "many.zip"
    path.write_bytes(zip_with(*((name, b"x") for name in names)))
    result = measured(path, tmp_path / "data")
    assert "no model in it" in result["error"]
    assert result["grown"] < MOST_BYTES, result


def test_a_directory_of_a_million_members(tmp_path):
    path = tmp_path / "million.zip"
    path.write_bytes(many_members(1_000_000))
    result = measured(path, tmp_path / "data")
    assert "1000000 members" in result["error"]
    assert result["grown"] < MOST_BYTES, result
