"""A model that only llama.cpp's own converter knows: told at once, converted where that is installed."""

from pathlib import Path

import pytest
from weights.conftest import oracle
from weights.foreign_models import install_converter, write_arcee
from weights.oracle import Oracle

from premrunner.weights import foreign_converter

from .conftest import zip_of
from .test_cancel import assert_cancelled_at, cancelled_in
from .workshop import Workshop

__all__ = ["oracle"]


@pytest.fixture
def arcee(tmp_path: Path) -> dict[str, Path]:
    return {path.name: path for path in write_arcee(tmp_path / "model").iterdir()}


@pytest.fixture
def installed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    install_converter(monkeypatch)


def test_without_the_extra_it_is_refused_when_it_is_looked_at(
    workshop: Workshop, arcee: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: False)

    record = workshop.work(workshop.bring(arcee, "Arcee")).record

    assert (record.status, record.stage) == ("failed", "identify")
    assert "LlamaForCausalLM" in record.error
    assert "premrunner[llama-cpp-convert]" in record.error


@pytest.mark.parametrize("is_archive", [False, True])
def test_with_the_extra_it_becomes_a_model(
    workshop: Workshop, arcee: dict[str, Path], installed: None, tmp_path: Path, is_archive: bool
) -> None:
    files = {"arcee.zip": zip_of(tmp_path / "arcee.zip", arcee, method=0)} if is_archive else arcee
    import_id = workshop.bring(files, "Arcee")

    view = workshop.work(import_id)

    assert view.record.status == "ready", view.record
    told = [event.message for event in view.events]
    assert any("to be converted by llama.cpp's own converter" in message for message in told)
    assert "llama.cpp's own converter is at work." in told
    assert view.model.findings["architecture"] == "arcee"
    assert view.model.findings["lineage"]["options"]["converter"] == "llama.cpp"
    assert [path for path in workshop.left() if not path.startswith(f"uploads/{import_id}/")] == []


def test_its_conversion_is_cancelled_within_a_second(
    workshop: Workshop, arcee: dict[str, Path], installed: None
) -> None:
    import_id = workshop.bring(arcee, "Arcee")
    with workshop.at_work(import_id):
        workshop.wait(import_id, "convert", "own converter is at work")
        seconds = cancelled_in(workshop, import_id)
    assert_cancelled_at(workshop, import_id, "convert", seconds)


def test_what_the_converter_refuses_too_fails_with_its_reason(
    workshop: Workshop, arcee: dict[str, Path], installed: None
) -> None:
    config = arcee["config.json"]
    config.write_text(config.read_text().replace("ArceeForCausalLM", "NobodyForCausalLM"))
    import_id = workshop.bring(arcee, "Nobody")

    record = workshop.work(import_id).record

    assert (record.status, record.stage) == ("failed", "convert")
    assert "llama.cpp's converter refused the model: " in record.error
    assert "NobodyForCausalLM" in record.error
    assert [path for path in workshop.left() if not path.startswith(f"uploads/{import_id}/")] == []
