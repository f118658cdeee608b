"""Whatever a stranger uploads ends in a clear message, with the engine alive and not a byte left behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .archives_of_strangers import CASES
from .leftovers import leftovers


@pytest.fixture(scope="module")
def outcomes(imports, tmp_path_factory):
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
        imports.delete(model_id)


@pytest.mark.parametrize(("case", "words"), [(case, words) for case, _, _, words in CASES])
def test_it_fails_and_says_why(outcomes, case, words):
    status = outcomes[case]
    assert status["status"] == "failed", status
    assert words.lower() in status["error"]["message"].lower(), status["error"]
    assert status["error"]["hint"]
    assert "/tmp/" not in status["error"]["message"].replace("'/tmp/evil.gguf'", "")
    assert status["imported"] is False


def test_the_engine_lives_and_nothing_is_left(outcomes, imports):
    engine = imports.server.get("/api/ollama/status").json()
    assert engine["state"] == "running"
    for status in outcomes.values():
        if status["canRetry"]:
            imports.delete(status["id"])
    assert leftovers(imports.server.data_path) == []
    assert not Path("/tmp/evil.gguf").exists()
