"""Build the application: settings in, one wired Flask app out."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from premrunner.config import Settings, load_settings
from premrunner.domain.keys import AccessKeys
from premrunner.extensions import csrf, db, migrate
from premrunner.logs import start_logging
from premrunner.storage.chat_message_store import ChatMessageStore
from premrunner.storage.database import database_url, pool_options
from premrunner.storage.migration import SCRIPTS, upgrade_database
from premrunner.storage.paths import DataPaths
from premrunner.storage.processes import Processes
from premrunner.storage.trace_removal import TraceRemoval
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
    retention,
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
from premrunner.wiring import Wiring, database_of

SESSION_DAYS = 30
OPENAI_PREFIXES = ("/v1", "/api/v1")
OPENAI_BLUEPRINTS = (
    *(v1_chat.bp, v1_completions.bp, v1_embeddings.bp, v1_responses.bp, v1_messages.bp),
    *(v1_models.bp, prem_models.bp, prem_platform.models),
)
TRACE_BLUEPRINTS = (traces.bp, trace_bulk.bp, prem_platform.traces)


class Site(Flask):
    """Flask that does not look, fifteen times a request, whether a function is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view or hook as it is."""
        return func


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
    app = Site("premrunner.web")
    _configure(app, settings, paths)
    start_logging(settings.log_level, settings.log_format)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(SCRIPTS))
    csrf.init_app(app)
    wiring = Wiring(app, settings, paths)
    app.extensions["premrunner"] = wiring.services()
    app.extensions["premrunner_jobs"] = wiring.jobs
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
    for blueprint in (disk.bp, retention.bp, engine_care.bp, openapi.bp, api_reference.bp, simple_chat.bp, status.bp):
        app.register_blueprint(blueprint)
    app.register_blueprint(progress_ws.bp)
    site.register_pages(app)


def prepare_database(app: Flask) -> None:
    """Bring the database up to date and settle what killed processes left; for one process, at start.

    Raises:
        StorageFailed: The database cannot be opened or upgraded.
    """
    upgrade_database(app, database_of(app), DataPaths(Path(app.config["DATA_PATH"])))
    settle_dead_processes(app)
    services: Services = app.extensions["premrunner"]
    services.uploads.clean()


def access_keys_of(app: Flask) -> AccessKeys:
    """Return the access keys, in a database that is up to date; for the command line, with or without a server."""
    upgrade_database(app, database_of(app), DataPaths(Path(app.config["DATA_PATH"])))
    services: Services = app.extensions["premrunner"]
    return services.keys


def settle_dead_processes(app: Flask) -> None:
    """Mark the calls and answers that dead processes had in hand as interrupted."""
    database, processes = database_of(app), Processes(DataPaths(Path(app.config["DATA_PATH"])).processes)
    for store in (TraceRemoval(database), ChatMessageStore(database)):
        store.settle_interrupted(processes.dead(store.running_writers()))
    processes.forget_dead()
