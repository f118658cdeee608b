"""Whatever a stranger uploads ends in a clear message, with the engine alive and not a byte left behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .archives_of_strangers import CASES
from .leftovers import leftovers


def around(data_path: Path) -> dict[str, tuple[int, float]]:
    """Return what lies around the data folder, where a name that leads out would lead, with sizes and times."""
    outside = [path for path in data_path.parent.rglob("*") if data_path not in (path, *path.parents)]
    outside += [path for path in (*data_path.parent.parent.iterdir(), *Path("/tmp").glob("evil*")) if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime) for path in outside if path.suffix != ".log"}


@pytest.fixture(scope="module")
def before(import_server) -> dict[str, tuple[int, float]]:
    return around(import_server.data_path)


@pytest.fixture(scope="module")
def outcomes(imports, before, tmp_path_factory):
    """Every case's last status; all of them wait in one queue, so they are sent at once."""
    folder = tmp_path_factory.mktemp("hostile")
    sent = {}
    for number, (case, file_name, make, _) in enumerate(CASES):
        place = folder / str(number)
        place.mkdir()
        path = place / file_name
        path.write_bytes(make(place))
        sent[case] = path
    with ThreadPoolExecutor(4) as pool:
        ids = dict(zip(sent, pool.map(lambda case: imports.upload(sent[case], case), sent), strict=True))
    yield {case: imports.wait(model_id) for case, model_id in ids.items()}
    for model_id in ids.values():
        imports.server.delete(f"/v1/models/{model_id}")  # The last test has deleted some.


@pytest.mark.parametrize(("case", "words"), [(case, words) for case, _, _, words in CASES])
def test_it_fails_and_says_why(outcomes, case, words):
    status = outcomes[case]
    assert status["status"] == "failed", status
    assert words.lower() in status["error"]["message"].lower(), status["error"]
    assert status["error"]["hint"]
    assert "/tmp/" not in status["error"]["message"].replace("'/tmp/evil.gguf'", "")
    assert status["imported"] is False


def test_there_are_fifty_and_more():
    assert len({case for case, _, _, _ in CASES}) == len(CASES) > 50


def test_nothing_outside_of_the_data_folder_was_touched(outcomes, before, imports):
    assert around(imports.server.data_path) == before


def test_the_engine_lives_and_nothing_is_left(outcomes, imports, starter_gguf):
    engine = imports.server.get("/api/ollama/status").json()
    assert engine["state"] == "running"
    for status in outcomes.values():
        if status["canRetry"]:
            imports.delete(status["id"])
    assert leftovers(imports.server.data_path) == []
    assert list((imports.server.data_path / "work").iterdir()) == []
    model_id = imports.upload(starter_gguf, "After all that")
    assert imports.wait(model_id)["status"] == "ready"
    imports.delete(model_id)
