"""With a real Ollama the first model is one of its own registry; an offline machine gets a hint."""

from replay import replay

from premrunner.domain.catalog import Catalog
from premrunner.domain.starter import Starter, StarterPlaces
from premrunner.engine.client import EngineClient


class NoRows:
    """Our own models: none yet."""

    def all(self):
        return []


def ensure(tmp_path, *recordings):
    """Run the starter against recorded answers; return what it reported and what is published."""
    reported = []
    with replay(*recordings) as (pool, seen):
        engine = EngineClient(lambda: pool)
        places = StarterPlaces(tmp_path, tmp_path / "starter.json")
        starter = Starter(engine, Catalog(engine, NoRows()), NoRows(), places)
        starter.ensure("ollama", reported.append, lambda: False)
        return reported, starter.progress(), [path for _, path, _ in seen]


def test_an_ollama_with_models_is_left_alone(tmp_path):
    reported, progress, asked = ensure(tmp_path, "tags")
    assert (reported, progress, asked) == ([], None, ["/api/tags"])


def test_an_offline_ollama_gets_a_hint_and_not_a_failure(tmp_path):
    reported, progress, asked = ensure(tmp_path, "tags empty", "pull offline")
    assert asked == ["/api/tags", "/api/pull"]
    assert [state.stage for state in reported] == ["fetching", "failed"]
    assert progress == reported[-1]
    assert "gemma3:270m" in progress.message
    assert "Bring your own model" in progress.message
