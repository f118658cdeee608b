"""Which models there are, ours and the engine's own, and what a name that a caller uses means."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from premrunner.engine.client import EngineClient
from premrunner.errors import EngineError, InvalidRequest, ModelNotFound
from premrunner.records import AccessKey, EngineModel, LoadedModel, ModelRecord
from premrunner.storage.model_store import ModelStore

# A chat must not pay for a list, and a model deleted behind our back is reported by the engine all the same.
FRESH_SECONDS = 2.0
# Engine models that live for a moment of an import, and are nobody's to see.
_PASSING = "premrunner-passing-"


@dataclass(frozen=True)
class CatalogModel:
    """A model as callers see it.

    Attributes:
        name: What people call it: its owner's name, or the engine's.
        model_id: What programs call it by: our alias, or the engine's name.
        engine_name: The engine's name with its tag.
        engine_model: What the engine says of it; None when the engine does not have it.
        record: Our row; None for a model that the engine had without us.
    """

    name: str
    model_id: str
    engine_name: str
    engine_model: EngineModel | None
    record: ModelRecord | None

    @property
    def is_ready(self) -> bool:
        """Whether it can be called: the engine has it, and if it is ours, it has proven itself."""
        return self.engine_model is not None and (self.record is None or self.record.is_downloaded)

    def answers_to(self, name: str) -> bool:
        """Whether a name means this model: an alias, an id of ours, or the engine's name."""
        is_ours = self.record is not None and self.record.id == name
        return is_ours or tagged(self.engine_name) == tagged(name)

    def is_open_to(self, key: AccessKey | None) -> bool:
        """Whether an access key may call it; the owner, without one, may call all."""
        return key is None or not key.models or any(self.answers_to(name) for name in key.models)


class Catalog:
    """The list of models, and the meaning of names."""

    def __init__(self, engine: EngineClient, models: ModelStore) -> None:
        self._engine = engine
        self._models = models
        self._cached: Sequence[CatalogModel] = ()
        self._cached_at = float("-inf")
        self._lock = threading.Lock()
        self._on_trial: set[str] = set()
        self._shown_capabilities: dict[tuple[str, str], Sequence[str]] = {}

    def all(self) -> Sequence[CatalogModel]:
        """Return every model: ours first, then the engine's others.

        Raises:
            EngineError: The engine does not answer.
        """
        with self._lock:
            if time.monotonic() - self._cached_at > FRESH_SECONDS:
                self._cached_at = time.monotonic()  # Before asking: what changes meanwhile has not been seen.
                try:
                    self._cached = _merge(self._engine.models(), self._models.all())
                except BaseException:
                    self.forget()
                    raise
            return self._cached

    def known(self, key: AccessKey | None = None) -> Sequence[CatalogModel]:
        """Return what is known also while the engine does not answer: then ours alone, none of them ready.

        Args:
            key: Leave out what this key may not call.
        """
        try:
            models = self.all()
        except EngineError:
            models = _merge((), self._models.all())
        return [model for model in models if model.is_open_to(key)]

    def listed(self, key: AccessKey | None = None) -> Sequence[CatalogModel]:
        """Return what is known, asked anew: whoever asks for a list may have seen another process change it.

        Args:
            key: Leave out what this key may not call.
        """
        self.forget()
        return self.known(key)

    def made_of(self, sha256: str) -> Sequence[CatalogModel]:
        """Return the models that can be called and were made of the very same upload, or of this very GGUF."""
        return [
            model
            for model in self.known()
            if sha256
            and model.is_ready
            and model.record
            and sha256 in (model.record.findings.get("uploadSha256"), model.record.findings.get("sha256"))
        ]

    def forget(self) -> None:
        """Ask the engine again at the next call, because something has changed."""
        self._cached_at = float("-inf")

    def resolve(self, wanted: str, key: AccessKey | None = None) -> CatalogModel:
        """Return the model that a caller means by an alias, an id of ours, or the engine's name.

        Raises:
            ModelNotFound: There is none, or the caller's key may not call it.
            EngineError: The engine does not answer.
        """
        found = self._find(wanted)
        if found is None:
            self.forget()  # It may have come this very second.
            found = self._find(wanted)
        if found is None or not found.is_open_to(key):
            raise ModelNotFound(wanted)
        return found

    @contextmanager
    def on_trial(self, model_id: str) -> Iterator[None]:
        """Let this process call one of our models by its id while the block runs, though it is not proven yet."""
        self._on_trial.add(model_id)
        self.forget()
        try:
            yield
        finally:
            self._on_trial.discard(model_id)

    def _find(self, wanted: str) -> CatalogModel | None:
        models = (model for model in self.all() if model.answers_to(wanted))
        return next((model for model in models if model.is_ready or self._is_on_trial(model)), None)

    def _is_on_trial(self, model: CatalogModel) -> bool:
        return bool(model.engine_model and model.record and model.record.id in self._on_trial)

    def ours(self, model_id: str) -> CatalogModel:
        """Return one of the models that PremRunner brought in, by its id.

        Raises:
            ModelNotFound: None of them has it.
        """
        found = self._find_ours(model_id)
        if found is None:
            self.forget()  # It may have come this very second.
            found = self._find_ours(model_id)
        if found is None:
            raise ModelNotFound(model_id)
        return found

    def _find_ours(self, model_id: str) -> CatalogModel | None:
        return next((model for model in self.known() if model.record and model.record.id == model_id), None)

    def is_gone(self, model_id: str) -> bool:
        """Tell whether the engine has lost one of our models that it had; False while the engine does not answer.

        Raises:
            ModelNotFound: None of ours has that id.
        """
        model = self.ours(model_id)
        if not model.is_ready:
            self.forget()  # It may have become ready this very second, and then lists shall say so too.
        try:
            self.all()
        except EngineError:
            return False
        model = self.ours(model_id)
        return model.engine_model is None and model.record is not None and model.record.is_downloaded

    def default(self, key: AccessKey | None = None) -> CatalogModel:
        """Return the model for a caller who names none: the newest of ours, else of the engine's.

        Raises:
            InvalidRequest: There is no model at all.
            EngineError: The engine does not answer.
        """
        for model in self.all():
            if model.is_ready and model.is_open_to(key):
                return model
        raise InvalidRequest("There is no model yet. Bring one, or wait for the first one to arrive.", param="model")

    def loaded(self) -> Sequence[LoadedModel]:
        """Return the models in the engine's memory."""
        return self._engine.loaded()

    def is_loaded(self, model: CatalogModel) -> bool:
        """Whether a model is in the engine's memory."""
        return any(model.answers_to(loaded.name) for loaded in self.loaded())

    def capabilities(self, model: CatalogModel) -> Sequence[str]:
        """Return what a model can do, in the engine's words: ``vision``, ``thinking`` and the like.

        Nothing where the engine does not know the model or does not answer.
        """
        known = model.engine_model
        if known is None:
            return ()
        if known.capabilities is not None:
            return known.capabilities
        key = (known.name, known.digest)
        if key not in self._shown_capabilities:
            try:
                self._shown_capabilities[key] = self._engine.show(known.name).get("capabilities") or ()
            except (EngineError, ModelNotFound):
                return ()
        return self._shown_capabilities[key]

    def load(self, model: CatalogModel) -> None:
        """Bring a model into the engine's memory; returns when it is there."""
        capabilities = self.capabilities(model)
        is_embedding = "embedding" in capabilities and "completion" not in capabilities
        self._engine.load(model.engine_name, is_embedding=is_embedding)

    def unload(self, model: CatalogModel) -> None:
        """Take a model out of the engine's memory; harmless when it is not there."""
        self._engine.unload(model.engine_name)


def passing_name(import_id: str) -> str:
    """Return an engine name for a model that lives for a moment of an import; lists leave it out."""
    return _PASSING + import_id


def tagged(name: str) -> str:
    """Return an engine name as the engine lists it: lower case for comparison, with its tag."""
    folded = name.lower()
    return folded if ":" in folded.rsplit("/", 1)[-1] else f"{folded}:latest"


def _merge(engine_models: Sequence[EngineModel], records: Sequence[ModelRecord]) -> Sequence[CatalogModel]:
    there = {tagged(model.name): model for model in engine_models}
    ours = [
        CatalogModel(record.name, record.alias, record.alias, there.pop(tagged(record.alias), None), record)
        for record in records
    ]
    others = [
        CatalogModel(model.name, model.name.removesuffix(":latest"), model.name, model, None)
        for model in engine_models
        if tagged(model.name) in there and not model.name.startswith(_PASSING)
    ]
    return [*ours, *others]
