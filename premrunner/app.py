"""Build the application: settings in, one wired Flask app out. The only place that wires."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from flask import Flask

from premrunner.config import Settings, load_settings
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
from premrunner.engine.address import EngineAddress, parse_ollama_host
from premrunner.engine.client import EngineClient
from premrunner.engine.link import EngineLink
from premrunner.engine.state import EngineState
from premrunner.engine.supervision.launch import EngineFolders, EngineLauncher, builtin_command
from premrunner.engine.supervision.plan import EngineMode, EngineWish
from premrunner.engine.supervision.supervisor import EngineSupervisor
from premrunner.extensions import csrf, db, migrate
from premrunner.logs import start_logging
from premrunner.metrics import Metrics
from premrunner.net.native_threads import NativeThreads
from premrunner.storage.base_files import BaseFiles
from premrunner.storage.chat_message_store import ChatMessageStore
from premrunner.storage.conversation_store import ConversationStore
from premrunner.storage.database import Database, database_url, pool_options, reader_engine, tune, writer_engine
from premrunner.storage.event_store import EventStore
from premrunner.storage.import_store import ImportStore
from premrunner.storage.job_queue import JobQueue
from premrunner.storage.key_store import KeyStore
from premrunner.storage.message_store import MessageStore
from premrunner.storage.migration import SCRIPTS, upgrade_database
from premrunner.storage.model_store import ModelStore
from premrunner.storage.paths import DataPaths
from premrunner.storage.processes import Processes
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_removal import TraceRemoval
from premrunner.storage.trace_store import TraceStore
from premrunner.storage.trace_writer import TraceWriter
from premrunner.storage.upload_files import UploadFiles
from premrunner.storage.upload_hasher import TrailingHashes
from premrunner.storage.upload_store import UploadStore
from premrunner.storage.work_files import WorkFiles
from premrunner.web import (
    access_keys,
    api_reference,
    auth,
    bases,
    caller,
    cors,
    disk,
    engine_care,
    errors,
    host,
    import_options,
    metrics,
    model_management,
    model_path,
    openapi,
    prem_models,
    prem_platform,
    progress_ws,
    pulls,
    rate_headers,
    security_headers,
    simple_chat,
    status,
    trace_bulk,
    traces,
    v1_chat,
    v1_completions,
    v1_embeddings,
    v1_messages,
    v1_models,
    v1_responses,
)
from premrunner.web.pages import site
from premrunner.web.services import Services
from premrunner.web.uploads import chunked_upload, model_upload, tus

SESSION_DAYS = 30
OPENAI_PREFIXES = ("/v1", "/api/v1")
OPENAI_BLUEPRINTS = (
    *(v1_chat.bp, v1_completions.bp, v1_embeddings.bp, v1_responses.bp, v1_messages.bp),
    *(v1_models.bp, prem_models.bp, prem_platform.models),
)
TRACE_BLUEPRINTS = (traces.bp, trace_bulk.bp, prem_platform.traces)
# Bodies that move at full speed at one time; two fill a gigabit, and slow ones hold no thread.
UPLOAD_THREADS = 8
# Measuring the disk and reading the log; a page waits for them, streams do not.
DISK_THREADS = 2
# What answers say so far is written by one, while another searches.
CONVERSATION_THREADS = 2
# Reads of traces at one time: SQLite gives no more than a core each.
TRACE_THREADS = 2


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application.

    Args:
        settings: What it shall be like; from the environment when not given.

    Raises:
        SettingsInvalid: The environment's settings cannot be used.
        StorageFailed: DATA_PATH cannot be written.
    """
    settings = settings or load_settings()
    paths = DataPaths(settings.data_path)
    paths.prepare()
    app = Flask("premrunner.web")
    _configure(app, settings, paths)
    start_logging(settings.log_level, settings.log_format)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(SCRIPTS))
    csrf.init_app(app)
    app.extensions["premrunner"] = _wire(app, settings, paths)
    _register(app, settings)
    return app


def _configure(app: Flask, settings: Settings, paths: DataPaths) -> None:
    url = database_url(settings.database_url, paths.database)
    app.config.update(
        DATA_PATH=str(paths.root),
        SECRET_KEY=paths.secret(paths.session_key),
        SESSION_COOKIE_NAME="premrunner_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=SESSION_DAYS),
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
        SQLALCHEMY_DATABASE_URI=url,
        SQLALCHEMY_ENGINE_OPTIONS=pool_options(url),
        ALLOWED_HOSTS=settings.allowed_hosts,
        METRICS_ACCESS=settings.metrics_access,
        # The guard of auth.py calls it, for those who come with a session.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        # A proxy that serves us under TLS changes the referrer's scheme; the token alone decides.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.config["SOCK_SERVER_OPTIONS"] = progress_ws.SERVER_OPTIONS
    app.json.sort_keys = False  # type: ignore[attr-defined]  # The default provider has it.


def _wire(app: Flask, settings: Settings, paths: DataPaths) -> Services:
    database = _database(app)
    link = EngineLink(paths.run)
    engine = EngineClient(link.pool)
    models = ModelStore(database)
    catalog = Catalog(engine, models)
    processes = Processes(paths.processes)
    counting = Metrics()
    open_engine = partial(writer_engine, app.config["SQLALCHEMY_DATABASE_URI"])
    # Native threads share no pool with greenlets.
    trace_database = Database(reader_engine(app.config["SQLALCHEMY_DATABASE_URI"]))
    trace_threads = NativeThreads(TRACE_THREADS)
    traces, judgements = TraceStore(trace_database), TraceFeedbackStore(trace_database)
    tracing = Tracing(TraceWriter(open_engine, processes), traces, judgements, trace_threads, counting)
    keeping = Keeping(settings.traces_keep_days, settings.traces_keep_count)
    retention = TraceRetention(traces, TraceRemoval(trace_database), keeping, trace_threads)
    keys = AccessKeys(KeyStore(database))
    admission = Admission(settings.model_concurrency, settings.model_queue, settings.queue_seconds, counting)
    upload_files, threads = UploadFiles(paths), NativeThreads(UPLOAD_THREADS)
    upload_parts = UploadParts(UploadStore(database), upload_files, TrailingHashes(paths), threads)
    expiry = timedelta(hours=settings.upload_expiry_hours)
    uploads = Uploads(upload_parts, UploadLimits(settings.max_upload_bytes, expiry))
    completion = Completion(uploads, upload_parts)
    chat = ChatService(engine, catalog, admission, tracing, keys)
    conversations, answering = _conversations(app, database, processes, chat)
    base_files = BaseFiles(paths)
    answering_tools = (models, engine, link, catalog, chat)
    tools = Tools(paths, WorkFiles(paths), upload_files, *answering_tools, base_files, settings.base_model_url)
    events = EventStore(database)
    import_rows = (ImportStore(database), events)
    execution = ImportExecution(*import_rows, uploads, tools, expiry)
    secret = paths.secret(paths.session_key)
    jobs = JobQueue(paths.job_queue, settings.redis_url, secret, execution.run, partial(_clean, execution, retention))
    imports = Imports(*import_rows, models, tools.work, jobs.put_import)
    app.extensions["premrunner_jobs"] = jobs
    token, starter = (
        settings.auth_token or paths.secret(paths.token),
        Starter(engine, catalog, models, StarterPlaces(paths.downloads, paths.starter_state)),
    )
    looking = NativeThreads(DISK_THREADS)
    disk = DiskParts(paths, uploads, *upload_parts[:2], import_rows[0], tools.work, starter, looking)
    return Services(
        token=token,
        about=partial(about, database),
        attempts=Attempts(),
        disk=Disk(disk),
        engine=EngineHealth(link, catalog),
        engine_log=EngineLog(paths.engine_log, token, looking),
        catalog=catalog,
        chat=chat,
        conversations=conversations,
        answering=answering,
        keys=keys,
        metrics=counting,
        history=ChatHistory(MessageStore(database)),
        starter=starter,
        tracing=tracing,
        trace_statistics=TraceStatistics(traces, trace_threads),
        trace_export=TraceExport(traces, judgements, trace_threads),
        trace_retention=retention,
        uploads=uploads,
        receiving=Receiving(uploads, upload_parts),
        completion=completion,
        handover=Handover(completion, imports.begin),
        import_terms=ImportTerms(uploads, tools, threads),
        imports=imports,
        execution=execution,
        feed=EventFeed(events),
        model_changes=ModelChanges(*import_rows, uploads, tools, threads),
        pulling=Pulling(engine, catalog, link),
        bases=Bases(base_files, threads),
    )


def _conversations(
    app: Flask, database: Database, processes: Processes, chat: ChatService
) -> tuple[Conversations, Answering]:
    # Native threads share no pool with greenlets.
    own = Database(writer_engine(app.config["SQLALCHEMY_DATABASE_URI"]))
    threads, messages, searching = (
        NativeThreads(CONVERSATION_THREADS),
        ChatMessageStore(database),
        ConversationStore(own),
    )
    answering = Answering(chat, messages, ChatMessageStore(own), searching, threads)
    return Conversations(ConversationStore(database), messages, processes, searching, threads, answering), answering


def _clean(execution: ImportExecution, retention: TraceRetention) -> None:
    """Remove what nobody needs any more; the worker does it every hour."""
    execution.clean()
    retention.apply()


def _database(app: Flask) -> Database:
    """Return the app's database; every call gives the same engine."""
    with app.app_context():
        return Database(tune(db.engine))


def _register(app: Flask, settings: Settings) -> None:
    model_path.register_model_paths(app)
    caller.register_request_ids(app)
    errors.register_errors(app)
    host.register_host_check(app)
    auth.register_auth(app)
    security_headers.register_security_headers(app)
    rate_headers.register_rate_headers(app)
    metrics.register_metrics(app)
    cors.register_cors(app, settings.cors_origins)
    for prefix in OPENAI_PREFIXES:
        for blueprint in OPENAI_BLUEPRINTS:
            app.register_blueprint(blueprint, url_prefix=prefix, name=f"{blueprint.name}{prefix.replace('/', '_')}")
    uploading = (chunked_upload.bp, model_upload.bp, tus.bp)
    for blueprint in (*TRACE_BLUEPRINTS, *uploading, model_management.bp, bases.bp):
        app.register_blueprint(blueprint, url_prefix="/v1")
    for blueprint in (access_keys.bp, import_options.bp, pulls.bp):
        app.register_blueprint(blueprint, url_prefix="/api")
    for blueprint in (disk.bp, engine_care.bp, openapi.bp, api_reference.bp, simple_chat.bp, status.bp):
        app.register_blueprint(blueprint)
    app.register_blueprint(progress_ws.bp)
    site.register_pages(app)


def prepare_database(app: Flask) -> None:
    """Bring the database up to date and settle what killed processes left; for one process, at start.

    Raises:
        StorageFailed: The database cannot be opened or upgraded.
    """
    upgrade_database(app, _database(app), DataPaths(Path(app.config["DATA_PATH"])))
    settle_dead_processes(app)
    services: Services = app.extensions["premrunner"]
    services.uploads.clean()


def access_keys_of(app: Flask) -> AccessKeys:
    """Return the access keys, in a database that is up to date; for the command line, with or without a server."""
    upgrade_database(app, _database(app), DataPaths(Path(app.config["DATA_PATH"])))
    services: Services = app.extensions["premrunner"]
    return services.keys


def settle_dead_processes(app: Flask) -> None:
    """Mark the calls and answers that dead processes had in hand as interrupted."""
    database, processes = _database(app), Processes(DataPaths(Path(app.config["DATA_PATH"])).processes)
    for store in (TraceRemoval(database), ChatMessageStore(database)):
        store.settle_interrupted(processes.dead(store.running_writers()))
    processes.forget_dead()


def engine_supervisor(settings: Settings, on_change: Callable[[EngineState], None]) -> EngineSupervisor:
    """Return the owner of this data folder's engine, not yet started."""
    wish = EngineWish(
        address=parse_ollama_host(settings.ollama_host),
        is_explicit=bool(settings.ollama_host),
        mode=cast(EngineMode, settings.engine),
        has_builtin=find_spec("xllamacpp") is not None,
    )

    def builtin(address: EngineAddress, store: Path) -> list[str]:
        return [*builtin_command(address, store), "--context-length", str(settings.context_length)]

    folders = engine_folders(DataPaths(settings.data_path))
    return EngineSupervisor(wish, EngineLauncher(folders, command_of_builtin=builtin), on_change=on_change)


def engine_folders(paths: DataPaths) -> EngineFolders:
    """Return where an engine's files are in a data folder."""
    return EngineFolders(
        run=paths.run,
        log_file=paths.engine_log,
        install=paths.ollama,
        models=paths.ollama_models,
        store=paths.builtin_store,
        home=paths.engine_home,
    )
