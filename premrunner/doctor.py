"""``premrunner doctor``: is everything as it should be, and what did killed processes leave?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Flask

from premrunner.app import prepare_database
from premrunner.config import Settings
from premrunner.errors import PortTaken, PremRunnerError
from premrunner.events import ENDED
from premrunner.serve import require_free_port
from premrunner.storage.paths import DataPaths
from premrunner.storage.work_files import WorkFiles, space_bytes
from premrunner.web.services import Services

# A small model and its copy; with less, the next import is sure to fail.
LEAST_FREE_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """What was seen of one thing."""

    subject: str
    is_well: bool
    message: str


def examine(app: Flask, settings: Settings, *, is_cleaning: bool) -> list[Finding]:
    """Return what is seen of database, disk, engine, port and leftovers.

    Args:
        app: The application, not served.
        settings: Its settings.
        is_cleaning: Whether leftovers are deleted.
    """
    services: Services = app.extensions["premrunner"]
    work = WorkFiles(DataPaths(settings.data_path))
    steps: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("database", lambda: _database(app)),
        ("disk", lambda: _disk(work)),
        ("engine", lambda: _engine(services)),
        ("port", lambda: _port(settings)),
        ("leftovers", lambda: _leftovers(services, work, is_cleaning=is_cleaning)),
    )
    findings: list[Finding] = []
    for subject, step in steps:
        try:
            findings.extend(step())
        except PremRunnerError as error:
            findings.append(Finding(subject, False, error.message))
    return findings


def _database(app: Flask) -> Iterator[Finding]:
    prepare_database(app)
    yield Finding("database", True, "It opens, and its tables are up to date.")


def _disk(work: WorkFiles) -> Iterator[Finding]:
    free = work.free_bytes()
    yield Finding("disk", free > LEAST_FREE_BYTES, f"{free / 1e9:.1f} GB are free.")


def _engine(services: Services) -> Iterator[Finding]:
    report = services.engine.report()
    where = f"{report.engine} {report.version} at {report.address}"
    yield Finding("engine", report.state == "running", where if report.state == "running" else report.why)


def _port(settings: Settings) -> Iterator[Finding]:
    try:
        require_free_port(settings.host, settings.port)
        message = f"{settings.host}:{settings.port} is free; the site does not run."
    except PortTaken:
        message = f"{settings.host}:{settings.port} is in use, by the site if it runs."
    yield Finding("port", True, message)


def _leftovers(services: Services, work: WorkFiles, *, is_cleaning: bool) -> Iterator[Finding]:
    at_work = {record.id for record in services.imports.all() if record.status not in ENDED}
    found = [name for name in work.ids() if name not in at_work]
    for name in found:
        size = space_bytes(work.root / "work" / name)
        yield Finding("leftovers", is_cleaning, f"work/{name}: {size / 1e6:.1f} MB of an import that has ended.")
    for status in services.uploads.all():
        if status.upload.state == "complete" and status.upload.id not in at_work:
            size = status.space_bytes
            yield Finding("leftovers", True, f"uploads/{status.upload.id}: {size / 1e6:.1f} MB, complete and not used.")
    if is_cleaning:
        freed = services.execution.clean() + sum(work.remove_stray(name) for name in found)
        yield Finding("leftovers", True, f"{freed / 1e6:.1f} MB came free.")
    elif not found:
        yield Finding("leftovers", True, "There are none.")
