"""Models after their import: another name, a copy, other defaults, and their end."""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from premrunner.domain.catalog import CatalogModel
from premrunner.domain.imports.chat_templates import is_go_template
from premrunner.domain.imports.create import engine_defaults, taste_of
from premrunner.domain.imports.run import Tools
from premrunner.domain.model_names import free_alias, legal_alias
from premrunner.domain.uploads import Uploads
from premrunner.errors import Forbidden, ImportConflict, InvalidRequest, ModelNotFound, UploadNotFound
from premrunner.events import ImportOptions
from premrunner.net.native_threads import NativeThreads
from premrunner.records import ModelRecord, new_id
from premrunner.storage.event_store import EventStore
from premrunner.storage.import_store import ImportStore

logger = logging.getLogger(__name__)

# The worker looks five times a second; what the engine was given may take a moment to be taken back.
STOP_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Deletion:
    """What was deleted.

    Attributes:
        model_id: What it was called by.
        freed_bytes: Space that came back.
    """

    model_id: str
    freed_bytes: int


class ModelChanges:
    """Changes models.

    Args:
        imports: Rows of imports.
        events: What they told.
        uploads: Their bytes.
        tools: Engine, rows and work files.
        threads: For what touches the disk.
    """

    def __init__(
        self, imports: ImportStore, events: EventStore, uploads: Uploads, tools: Tools, threads: NativeThreads
    ) -> None:
        self._imports = imports
        self._events = events
        self._uploads = uploads
        self._tools = tools
        self._threads = threads

    def rename(self, model_id: str, name: str, alias: str = "") -> ModelRecord:
        """Give a model another name; it goes on being called by the same alias, unless another one is given.

        Raises:
            ModelNotFound: None of ours has that id.
            InvalidRequest: Another model has that alias, or no engine takes it.
            EngineError: The engine does not answer.
        """
        model = self._tools.catalog.ours(model_id)
        if alias and alias != model.model_id:
            self._rename_in_engine(model, alias)
        self._tools.models.change(model_id, name=name)
        self._tools.catalog.forget()
        return self._record(model_id)

    def copy(self, model_id: str, name: str) -> ModelRecord:
        """Return a second model of the same weights, with its own name and defaults.

        Raises:
            ModelNotFound: No model that is ready has that id.
            EngineError: The engine does not answer.
        """
        model = self._tools.catalog.ours(model_id)
        if not model.is_ready or model.record is None:
            raise ModelNotFound(model_id)
        copied, taken = new_id(), self._engine_names()
        row = self._tools.models.reserve(
            copied, name, lambda others: free_alias(legal_alias(name, copied), others | taken)
        )
        self._tools.engine.copy(model.engine_name, row.alias)
        old = model.record
        known = {"options": old.options, "findings": old.findings, "proof": old.proof}
        self._tools.models.change(copied, size=old.size_bytes, downloaded=True, **known)
        self._tools.catalog.forget()
        return self._record(copied)

    def change_defaults(self, model_id: str, options: ImportOptions) -> ModelRecord:
        """Give a model another system prompt, template or parameters.

        Raises:
            ModelNotFound: No model that is ready has that id.
            InvalidRequest: The engine cannot be given that template.
            EngineError: The engine does not answer.
        """
        model = self._tools.catalog.ours(model_id)
        if not model.is_ready or model.record is None:
            raise ModelNotFound(model_id)
        taste = taste_of(self._tools.link.state())
        own = str(model.record.findings.get("chatTemplate") or "")
        if options.template and taste.takes_jinja and not taste.is_builtin and not is_go_template(options.template):
            raise InvalidRequest("This engine takes another template only at import. Import the model again with it.")
        defaults = engine_defaults(options.template, options.parameters, own, taste)
        self._tools.engine.create(
            model.engine_name, system=options.system or None, **self._source(model, model.record), **defaults
        )
        kept = {"system": options.system, "template": options.template, "parameters": dict(options.parameters)}
        self._tools.models.change(model_id, options=kept)
        self._tools.catalog.forget()
        return self._record(model_id)

    def delete(self, name: str, *, is_foreign_allowed: bool = False) -> Deletion:
        """Delete a model with everything that belongs to it, also in the middle of its import.

        Args:
            name: Alias, id or the engine's name.
            is_foreign_allowed: Whether one that PremRunner did not bring may go too.

        Raises:
            ModelNotFound: There is none.
            Forbidden: It is the engine's own, and that was not asked for.
            ImportConflict: Its import does not stop.
            EngineError: The engine does not answer.
        """
        model = next((model for model in self._tools.catalog.listed() if model.answers_to(name)), None)
        if model is None:
            raise ModelNotFound(name)
        if model.record is None:
            if not is_foreign_allowed:
                raise Forbidden(f"PremRunner did not bring '{name}'. Ask for its deletion with ?foreign=true.")
            self._tools.engine.delete(model.engine_name)
            freed = model.engine_model.size_bytes if model.engine_model else 0
        else:
            freed = self._delete_ours(model, model.record)
        self._tools.catalog.forget()
        logger.info("Model deleted.", extra={"model": model.model_id, "freed_bytes": freed})
        return Deletion(model.model_id, freed)

    def _delete_ours(self, model: CatalogModel, record: ModelRecord) -> int:
        self._stop_import(record.id)
        freed = 0
        if record.is_downloaded:
            self._tools.catalog.all()  # An engine that does not answer may have it, so it must.
        if model.engine_model is not None:
            self._tools.engine.delete(model.engine_name)
            freed += 0 if self._is_shared(record) else model.engine_model.size_bytes
        freed += self._threads.run(self._tools.work.remove_stray, record.id)
        with suppress(UploadNotFound):
            freed += self._uploads.give_up(record.id)
        self._tools.models.remove(record.id)
        self._imports.remove(record.id)
        self._events.remove(record.id)
        return freed

    def _stop_import(self, import_id: str) -> None:
        """Return when nobody is at an import any more."""
        self._imports.want_cancel(import_id)
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            try:
                with self._tools.work.claim(import_id):
                    if self._imports.find(import_id) is not None:
                        self._imports.end(import_id, "cancelled")
                    return
            except ImportConflict:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_EVERY_SECONDS)

    def _is_shared(self, record: ModelRecord) -> bool:
        sha256 = record.findings.get("sha256")
        others = (other for other in self._tools.models.all() if other.id != record.id)
        return bool(sha256) and any(other.findings.get("sha256") == sha256 for other in others)

    def _rename_in_engine(self, model: CatalogModel, alias: str) -> None:
        if alias != legal_alias(alias, model.model_id):
            raise InvalidRequest(f"'{alias}' is no alias: lower-case letters, digits and dashes only.", param="alias")
        taken = {other.alias for other in self._tools.models.all()} | self._engine_names()
        if free_alias(alias, taken) != alias:
            raise InvalidRequest(f"Another model has the alias '{alias}'.", param="alias")
        if model.record is None or model.engine_model is None:
            raise ModelNotFound(model.model_id)
        self._tools.engine.copy(model.engine_name, alias)
        self._tools.models.change(model.record.id, alias=alias)
        self._tools.engine.delete(model.engine_name)

    def _engine_names(self) -> set[str]:
        return {model.name.lower() for model in self._tools.engine.models()}

    def _source(self, model: CatalogModel, record: ModelRecord) -> Mapping[str, Any]:
        """Return what to make a model anew of: its blob, because from itself nothing can be cleared."""
        sha256 = str(record.findings.get("sha256") or "")
        has_more = record.findings.get("hasProjector")
        if sha256 and not has_more and self._tools.engine.has_blob(sha256):
            return {"files": {"model.gguf": f"sha256:{sha256}"}}
        return {"source": model.engine_name}

    def _record(self, model_id: str) -> ModelRecord:
        record = self._tools.models.find(model_id)
        if record is None:
            raise ModelNotFound(model_id)
        return record
