"""Names: what callers mean by them, also when the list is older than the model."""

from datetime import datetime, timezone

import pytest

from premrunner.domain.catalog import Catalog, tagged
from premrunner.errors import EngineLost, ModelNotFound
from premrunner.records import EngineModel
from premrunner.storage.database import Database
from premrunner.storage.model_store import ModelStore


class Engine:
    """Lists what it is told, as an engine does."""

    def __init__(self):
        self.names = []
        self.is_lost = False

    def models(self):
        if self.is_lost:
            raise EngineLost("gone")
        return [EngineModel(name) for name in self.names]


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def store(app):
    from premrunner.extensions import db

    with app.app_context():
        return ModelStore(Database(db.engine))


def test_names_are_compared_with_their_tag_and_in_lower_case():
    assert tagged("Llama3") == "llama3:latest"
    assert tagged("hf.co/Org/Model:Q4") == "hf.co/org/model:q4"
    assert tagged("localhost:5000/a/b") == "localhost:5000/a/b:latest"


def test_a_model_is_found_by_alias_id_and_engine_name_also_when_it_came_after_the_list(engine, store):
    catalog = Catalog(engine, store)
    assert list(catalog.all()) == []
    record = store.add("My Tune", "my-tune", 1)
    engine.names = ["my-tune:latest", "other:7b"]
    for wanted in (record.id, "my-tune", "MY-TUNE", "my-tune:latest"):
        assert catalog.resolve(wanted).record.id == record.id
    assert catalog.ours(record.id).model_id == "my-tune"
    assert catalog.resolve("other:7b").record is None
    with pytest.raises(ModelNotFound):
        catalog.resolve("other")


def test_one_of_ours_is_found_although_the_list_is_older(engine, store):
    catalog = Catalog(engine, store)
    assert list(catalog.known()) == []
    record = store.add("My Tune", "my-tune", 1)
    assert catalog.ours(record.id).name == "My Tune"
    with pytest.raises(ModelNotFound):
        catalog.ours("nothing")


def test_a_list_shows_what_another_process_has_just_changed(engine, store):
    catalog = Catalog(engine, store)
    assert list(catalog.listed()) == []
    record = store.add("My Tune", "my-tune", 1)
    engine.names = ["my-tune:latest"]
    assert [model.model_id for model in catalog.listed()] == ["my-tune"]
    store.remove(record.id)
    engine.names = []
    assert list(catalog.listed()) == []


def test_without_the_engine_ours_are_known_and_none_is_ready(engine, store):
    record = store.add("My Tune", "my-tune", 1)
    assert record.created_at <= datetime.now(timezone.utc)
    engine.is_lost = True
    assert [(model.name, model.is_ready) for model in Catalog(engine, store).known()] == [("My Tune", False)]
