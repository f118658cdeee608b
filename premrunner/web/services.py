"""What the views call: the objects that ``create_app`` built, once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app

from premrunner.domain.about import About
from premrunner.domain.attempts import Attempts
from premrunner.domain.bases import Bases
from premrunner.domain.catalog import Catalog
from premrunner.domain.chat import ChatService
from premrunner.domain.conversations.answering import Answering
from premrunner.domain.conversations.conversations import Conversations
from premrunner.domain.disk import Disk
from premrunner.domain.engine_health import EngineHealth
from premrunner.domain.engine_log import EngineLog
from premrunner.domain.history import ChatHistory
from premrunner.domain.imports.execution import ImportExecution
from premrunner.domain.imports.feed import EventFeed
from premrunner.domain.imports.importing import Imports
from premrunner.domain.imports.terms import ImportTerms
from premrunner.domain.keys import AccessKeys
from premrunner.domain.model_changes import ModelChanges
from premrunner.domain.pulling import Pulling
from premrunner.domain.starter import Starter
from premrunner.domain.trace_export import TraceExport
from premrunner.domain.trace_retention import TraceRetention
from premrunner.domain.trace_statistics import TraceStatistics
from premrunner.domain.tracing import Tracing
from premrunner.domain.upload_completion import Completion, Handover
from premrunner.domain.upload_receiving import Receiving
from premrunner.domain.uploads import Uploads
from premrunner.metrics import Metrics


@dataclass(frozen=True)
class Services:
    """The domain, wired.

    Attributes:
        token: The access token.
        about: Tells what runs here.
        attempts: Wrong tokens by address.
        disk: What takes the disk, and what of it may go.
        engine: Whether the engine is there, and why not.
        engine_log: What the engine writes.
        catalog: The models.
        chat: Answers calls.
        conversations: Those of the chat page.
        answering: Writes their answers.
        keys: What programs may be given instead of the token.
        metrics: What is counted.
        history: The simple chat of the original.
        starter: Brings the first model.
        tracing: The recorded calls.
        trace_statistics: Figures over them.
        trace_export: Hands them out in bulk.
        trace_retention: Deletes them.
        uploads: Begins, shows and ends uploads.
        receiving: Takes their bytes.
        completion: Completes them.
        handover: Has models made of them.
        import_terms: Tells what can be imported.
        imports: Begins, shows and cancels that.
        execution: Does it; for the worker.
        feed: What imports tell, for pages that follow.
        model_changes: Renames, copies, changes and deletes models.
        pulling: Has the engine fetch models of its registry.
        bases: Lists and deletes what is kept for adapters.
    """

    token: str
    about: Callable[[], About]
    attempts: Attempts
    disk: Disk
    engine: EngineHealth
    engine_log: EngineLog
    catalog: Catalog
    chat: ChatService
    conversations: Conversations
    answering: Answering
    keys: AccessKeys
    metrics: Metrics
    history: ChatHistory
    starter: Starter
    tracing: Tracing
    trace_statistics: TraceStatistics
    trace_export: TraceExport
    trace_retention: TraceRetention
    uploads: Uploads
    receiving: Receiving
    completion: Completion
    handover: Handover
    import_terms: ImportTerms
    imports: Imports
    execution: ImportExecution
    feed: EventFeed
    model_changes: ModelChanges
    pulling: Pulling
    bases: Bases


def services() -> Services:
    """Return the services of the app that answers this request."""
    return cast(Services, current_app.extensions["premrunner"])
