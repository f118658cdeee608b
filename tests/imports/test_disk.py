"""A disk that is too small or fills up: said in plain words, nothing lies about, and another try succeeds."""

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from premrunner.app import create_app, prepare_database
from premrunner.config import load_settings
from premrunner.storage.work_files import WorkFiles
from tests.engine_of_tests import found_running

from .conftest import zip_of
from .large_files import sparse_gguf
from .workshop import Workshop

MEGABYTE = 1024 * 1024
SMALL_MEGABYTES = 40


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of its own, which only root may mount."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MEGABYTES}m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk that fills up must be mounted, and may not be: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def workshop(small_disk, ollama) -> Iterator[Workshop]:
    """Imports on the small disk; the engine's is another one."""
    settings = load_settings({"DATA_PATH": str(small_disk / "data"), "PREMRUNNER_STARTER": "none"}, dotenv=None)
    app = create_app(settings)
    prepare_database(app)
    with found_running(app, ollama.port):
        yield Workshop(app, ollama)
    app.extensions["premrunner"].tracing.close()


@pytest.fixture
def model_zip(small_disk) -> Path:
    """A model of 60 MB that is packed into a few."""
    model = sparse_gguf(small_disk / "model.gguf", 60 * MEGABYTE)
    with model.open("rb+") as file:
        file.seek(-1000, 2)
        file.write(np.random.default_rng(1).bytes(1000))
    path = zip_of(small_disk / "a.zip", {"model.gguf": model}, zipfile.ZIP_DEFLATED)
    model.unlink()
    return path


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=300m", str(disk)], check=True)


def test_too_little_space_is_seen_before_a_byte_is_written(workshop, small_disk, model_zip):
    import_id = workshop.bring({"a.zip": model_zip}, "Too large")
    record = workshop.work(import_id).record
    assert (record.status, record.stage, record.can_retry) == ("failed", "unpack", True)
    assert "Unpacking needs" in record.error
    assert "Free" in record.error
    assert workshop.left() == [f"uploads/{import_id}/0"]
    enlarge(small_disk)
    workshop.services.imports.retry(import_id)
    assert workshop.work(import_id).record.status == "ready"


def test_a_disk_that_fills_up_in_the_middle_ends_the_import_and_another_try_succeeds(
    workshop, small_disk, model_zip, monkeypatch
):
    monkeypatch.setattr(WorkFiles, "free_bytes", lambda _: 10**12)  # As it was when the stage began.
    import_id = workshop.bring({"a.zip": model_zip}, "Filled")
    record = workshop.work(import_id).record
    assert (record.status, record.stage, record.can_retry) == ("failed", "unpack", True)
    assert "disk is full" in record.error
    assert record.hint
    assert workshop.left() == [f"uploads/{import_id}/0"]
    enlarge(small_disk)
    workshop.services.imports.retry(import_id)
    assert workshop.work(import_id).record.status == "ready"
    assert workshop.left() == []
