"""Downloading a base: shown, cancelled, bounded by the disk and by what was announced."""

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from conftest import BUSY_SECONDS
from weights.tiny_models import write_tiny_model

from premrunner.domain.imports.download_base import downloaded
from premrunner.domain.imports.reporter import Reporter
from premrunner.domain.imports.watch import Watch
from premrunner.errors import Cancelled, DiskFull
from premrunner.storage.base_files import BaseFiles
from premrunner.storage.paths import DataPaths
from premrunner.weights.errors import BaseNotFound

from .base_hub import BaseHub


class Wanted:
    """An import as far as a download sees it."""

    def __init__(self, root, template: str) -> None:
        paths = DataPaths(root)
        paths.prepare()
        self.told = []
        self.is_cancelled = False
        self.tools = SimpleNamespace(bases=BaseFiles(paths), base_model_url=template)
        self.report = Reporter("0" * 24, self.told.append)
        self.watch = Watch(lambda: self.is_cancelled, threading.Event())
        self.room = 10**12

    def require_space(self, size_bytes: int, what: str) -> None:
        if size_bytes > self.room:
            raise DiskFull(f"{what} needs {size_bytes}.")


@pytest.fixture
def model(tmp_path):
    return write_tiny_model("llama", tmp_path / "source")


@contextmanager
def wanted(tmp_path, models, **hub_options):
    with BaseHub(models, **hub_options) as hub:
        run = Wanted(tmp_path / "data", hub.template)
        with run.watch.running():
            yield hub, run


def test_a_base_arrives_whole_with_its_digests_and_its_progress(tmp_path, model):
    with wanted(tmp_path, {"org/tiny": model}) as (_, run):
        base = downloaded(run, "org/tiny")
        assert (base.path / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
        [kept] = run.tools.bases.all()
        assert set(kept.sha256) >= {"config.json", "model.safetensors", "tokenizer.json"}
        assert any(event.done_bytes for event in run.told)


def test_a_quantized_copy_stands_for_the_model_itself(tmp_path, model):
    with wanted(tmp_path, {"unsloth/tiny": model}) as (_, run):
        assert downloaded(run, "unsloth/tiny-bnb-4bit").names == ("unsloth/tiny",)


@pytest.mark.parametrize("name", ["/home/me/org/model", "../../etc", "model", ""])
def test_what_is_no_hubs_name_is_asked_for_nowhere(tmp_path, model, name):
    with wanted(tmp_path, {"org/model": model}) as (hub, run):
        assert downloaded(run, name) is None
        assert hub.paths == []


def test_a_model_that_is_not_there_leaves_nothing(tmp_path):
    with wanted(tmp_path, {}) as (_, run):
        with pytest.raises(BaseNotFound):
            downloaded(run, "org/tiny")
        assert list((tmp_path / "data" / "bases").iterdir()) == []


def test_what_does_not_fit_is_not_begun(tmp_path, model):
    with wanted(tmp_path, {"org/tiny": model}) as (_, run):
        run.room = 20_000
        with pytest.raises(DiskFull):
            downloaded(run, "org/tiny")
        unfinished = tmp_path / "data" / "bases" / ".org--tiny.part"
        assert not (unfinished / "model.safetensors").exists()


def test_a_cancelled_download_ends_within_a_second_and_goes_on_later(tmp_path, model):
    with wanted(tmp_path, {"org/tiny": model}, stalls_after=30_000) as (hub, run):
        threading.Timer(0.3, lambda: setattr(run, "is_cancelled", True)).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            downloaded(run, "org/tiny")
        assert time.monotonic() - begun < 1 + BUSY_SECONDS
        again = Wanted(tmp_path / "data", hub.template)
        with again.watch.running():
            assert downloaded(again, "org/tiny").names == ("org/tiny",)
        assert "bytes=30000-" in hub.ranges
