"""Which object is made of which: the one place where the domain, the engine and the storage meet."""

from datetime import timedelta
from functools import cached_property, partial

from flask import Flask

from premrunner.config import Settings
from premrunner.domain.about import about
from premrunner.domain.admission import Admission
from premrunner.domain.attempts import Attempts
from premrunner.domain.bases import Bases
from premrunner.domain.catalog import Catalog
from premrunner.domain.chat import ChatService
from premrunner.domain.conversations.answering import Answering
from premrunner.domain.conversations.conversations import Conversations
from premrunner.domain.disk import Disk, DiskParts
from premrunner.domain.engine_health import EngineHealth
from premrunner.domain.engine_log import EngineLog
from premrunner.domain.history import ChatHistory
from premrunner.domain.imports.execution import ImportExecution
from premrunner.domain.imports.feed import EventFeed
from premrunner.domain.imports.importing import Imports
from premrunner.domain.imports.run import Tools
from premrunner.domain.imports.terms import ImportTerms
from premrunner.domain.keys import AccessKeys
from premrunner.domain.model_changes import ModelChanges
from premrunner.domain.pulling import Pulling
from premrunner.domain.starter import Starter, StarterPlaces
from premrunner.domain.trace_export import TraceExport
from premrunner.domain.trace_retention import Keeping, TraceRetention
from premrunner.domain.trace_statistics import TraceStatistics
from premrunner.domain.tracing import Tracing
from premrunner.domain.upload_completion import Completion, Handover
from premrunner.domain.upload_receiving import Receiving
from premrunner.domain.uploads import UploadLimits, UploadParts, Uploads
from premrunner.engine.client import EngineClient
from premrunner.engine.link import EngineLink
from premrunner.extensions import db
from premrunner.metrics import Metrics
from premrunner.net.native_threads import NativeThreads
from premrunner.storage.base_files import BaseFiles
from premrunner.storage.chat_message_store import ChatMessageStore
from premrunner.storage.conversation_store import ConversationStore
from premrunner.storage.database import Database, thread_engine, tune, unpooled_engine
from premrunner.storage.event_store import EventStore
from premrunner.storage.import_store import ImportStore
from premrunner.storage.job_queue import JobQueue
from premrunner.storage.key_store import KeyStore
from premrunner.storage.message_store import MessageStore
from premrunner.storage.model_store import ModelStore
from premrunner.storage.paths import DataPaths
from premrunner.storage.processes import Processes
from premrunner.storage.setting_store import SettingStore
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_removal import TraceRemoval
from premrunner.storage.trace_store import TraceStore
from premrunner.storage.trace_writer import TraceWriter
from premrunner.storage.upload_files import UploadFiles
from premrunner.storage.upload_hasher import TrailingHashes
from premrunner.storage.upload_store import UploadStore
from premrunner.storage.work_files import WorkFiles
from premrunner.web.services import Services

# Bodies that move at full speed at one time; two fill a gigabit, and slow ones hold no thread.
UPLOAD_THREADS = 8
# Measuring the disk and reading the log; a page waits for them, streams do not.
DISK_THREADS = 2
# What answers say so far is written by one, while another searches.
CONVERSATION_THREADS = 2
# Reads of traces at one time: SQLite gives no more than a core each.
TRACE_THREADS = 2


def database_of(app: Flask) -> Database:
    """Return the app's database; every call gives the same engine."""
    with app.app_context():
        return Database(tune(db.engine))


class Wiring:
    """Makes each object when another first asks for it, and once.

    Args:
        app: The application, configured.
        settings: What it shall be like.
        paths: Its data folder.
    """

    def __init__(self, app: Flask, settings: Settings, paths: DataPaths) -> None:
        self._settings = settings
        self._paths = paths
        self._url: str = app.config["SQLALCHEMY_DATABASE_URI"]
        self._database = database_of(app)
        self._processes = Processes(paths.processes)
        self._metrics = Metrics()
        self._secret = paths.secret(paths.session_key)
        self._token = settings.auth_token or paths.secret(paths.token)
        self._upload_expiry = timedelta(hours=settings.upload_expiry_hours)
        self._disk_threads = NativeThreads(DISK_THREADS)

    def services(self) -> Services:
        """Return what the views call."""
        return Services(
            token=self._token,
            about=partial(about, self._database),
            attempts=Attempts(),
            disk=self._disk,
            engine=EngineHealth(self._link, self._catalog),
            engine_log=EngineLog(self._paths.engine_log, self._token, self._disk_threads),
            catalog=self._catalog,
            chat=self._chat,
            conversations=self._conversations,
            answering=self._answering,
            keys=self._keys,
            metrics=self._metrics,
            history=ChatHistory(MessageStore(self._database)),
            starter=self._starter,
            tracing=self._tracing,
            trace_statistics=TraceStatistics(self._traces, self._trace_threads),
            trace_export=TraceExport(self._traces, self._judgements, self._trace_threads),
            trace_retention=self._retention,
            uploads=self._uploads,
            receiving=Receiving(self._uploads, self._upload_parts),
            completion=self._completion,
            handover=Handover(self._completion, self._imports.begin),
            import_terms=ImportTerms(self._uploads, self._tools, self._upload_parts.threads),
            imports=self._imports,
            execution=self._execution,
            feed=EventFeed(self._events),
            model_changes=ModelChanges(
                self._import_rows, self._events, self._uploads, self._tools, self._upload_parts.threads
            ),
            pulling=Pulling(self._engine, self._catalog, self._link, self._settings.pull_registries),
            bases=Bases(self._base_files, self._upload_parts.threads),
        )

    # The engine and its models.

    @cached_property
    def _link(self) -> EngineLink:
        return EngineLink(self._paths.run)

    @cached_property
    def _engine(self) -> EngineClient:
        return EngineClient(self._link.pool)

    @cached_property
    def _models(self) -> ModelStore:
        return ModelStore(self._database)

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog(self._engine, self._models)

    @cached_property
    def _starter(self) -> Starter:
        places = StarterPlaces(self._paths.downloads, self._paths.starter_state)
        return Starter(self._engine, self._catalog, self._models, places)

    # Calls and their traces. Native threads share no pool with greenlets, so they have databases of their own.

    @cached_property
    def _chat(self) -> ChatService:
        settings = self._settings
        admission = Admission(settings.model_concurrency, settings.model_queue, settings.queue_seconds, self._metrics)
        return ChatService(self._engine, self._catalog, admission, self._tracing, self._keys)

    @cached_property
    def _keys(self) -> AccessKeys:
        return AccessKeys(KeyStore(self._database))

    @cached_property
    def _tracing(self) -> Tracing:
        writer = TraceWriter(partial(thread_engine, self._url), self._processes)
        return Tracing(writer, self._traces, self._judgements, self._trace_threads, self._metrics)

    @cached_property
    def _trace_database(self) -> Database:
        return Database(thread_engine(self._url))

    @cached_property
    def _trace_threads(self) -> NativeThreads:
        return NativeThreads(TRACE_THREADS)

    @cached_property
    def _traces(self) -> TraceStore:
        return TraceStore(self._trace_database)

    @cached_property
    def _judgements(self) -> TraceFeedbackStore:
        return TraceFeedbackStore(self._trace_database)

    @cached_property
    def _retention(self) -> TraceRetention:
        removal, chosen = TraceRemoval(self._trace_database), SettingStore(self._trace_database)
        default = Keeping(self._settings.traces_keep_days, self._settings.traces_keep_count)
        return TraceRetention(self._traces, removal, chosen, default, self._trace_threads)

    # Conversations.

    @cached_property
    def _answer_database(self) -> Database:
        return Database(unpooled_engine(self._url))

    @cached_property
    def _conversation_threads(self) -> NativeThreads:
        return NativeThreads(CONVERSATION_THREADS)

    @cached_property
    def _answering(self) -> Answering:
        return Answering(
            self._chat,
            ChatMessageStore(self._database),
            ChatMessageStore(self._answer_database),
            ConversationStore(self._answer_database),
            self._conversation_threads,
        )

    @cached_property
    def _conversations(self) -> Conversations:
        return Conversations(
            ConversationStore(self._database),
            ChatMessageStore(self._database),
            self._processes,
            ConversationStore(self._answer_database),
            self._conversation_threads,
            self._answering,
        )

    # Uploads, and what becomes of them.

    @cached_property
    def _upload_parts(self) -> UploadParts:
        return UploadParts(
            UploadStore(self._database),
            UploadFiles(self._paths),
            TrailingHashes(self._paths),
            NativeThreads(UPLOAD_THREADS),
        )

    @cached_property
    def _uploads(self) -> Uploads:
        return Uploads(self._upload_parts, UploadLimits(self._settings.max_upload_bytes, self._upload_expiry))

    @cached_property
    def _completion(self) -> Completion:
        return Completion(self._uploads, self._upload_parts)

    @cached_property
    def _import_rows(self) -> ImportStore:
        return ImportStore(self._database)

    @cached_property
    def _events(self) -> EventStore:
        return EventStore(self._database)

    @cached_property
    def _base_files(self) -> BaseFiles:
        return BaseFiles(self._paths)

    @cached_property
    def _tools(self) -> Tools:
        return Tools(
            paths=self._paths,
            work=WorkFiles(self._paths),
            uploads=self._upload_parts.files,
            models=self._models,
            engine=self._engine,
            link=self._link,
            catalog=self._catalog,
            chat=self._chat,
            bases=self._base_files,
            base_model_url=self._settings.base_model_url,
        )

    @cached_property
    def _execution(self) -> ImportExecution:
        return ImportExecution(self._import_rows, self._events, self._uploads, self._tools, self._upload_expiry)

    @cached_property
    def jobs(self) -> JobQueue:
        """What waits for the worker."""
        return JobQueue(self._paths.job_queue, self._settings.redis_url, self._secret, self._execution.run, self._clean)

    @cached_property
    def _imports(self) -> Imports:
        return Imports(self._import_rows, self._events, self._models, self._tools.work, self.jobs.put_import)

    @cached_property
    def _disk(self) -> Disk:
        store, files, _, _ = self._upload_parts
        return Disk(
            DiskParts(
                paths=self._paths,
                uploads=self._uploads,
                upload_rows=store,
                upload_files=files,
                imports=self._import_rows,
                work=self._tools.work,
                starter=self._starter,
                threads=self._disk_threads,
            )
        )

    def _clean(self) -> None:
        """Remove what nobody needs any more; the worker does it every hour."""
        self._execution.clean()
        self._retention.apply()
