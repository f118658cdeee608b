"""The stages in their order: each result is kept, so another try begins at the first that is missing."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from premrunner.domain.catalog import passing_name, tagged
from premrunner.domain.imports.check import check
from premrunner.domain.imports.convert import convert
from premrunner.domain.imports.create import create
from premrunner.domain.imports.find_base import find_base
from premrunner.domain.imports.identify import identify
from premrunner.domain.imports.prove import prove
from premrunner.domain.imports.run import ImportRun
from premrunner.domain.imports.unpack import unpack
from premrunner.engine.local_store import local_blobs
from premrunner.errors import EngineError, EngineLost, EngineNotReady, PremRunnerError
from premrunner.storage.blob_files import remove_unused_blob

logger = logging.getLogger(__name__)

# At the first start an engine may take so long, and one that was killed is back within a few seconds.
ENGINE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.25
NEED_ENGINE = {"create", "prove"}

Stage = Callable[[ImportRun], dict[str, Any]]

PIPELINE: tuple[tuple[str, Stage], ...] = (
    ("check", check),
    ("unpack", unpack),
    ("identify", identify),
    ("base", find_base),
    ("convert", convert),
    ("create", create),
    ("prove", prove),
)


def run_stages(run: ImportRun, begin: Callable[[str], None]) -> None:
    """Carry out what has no result yet.

    Args:
        run: The import.
        begin: Records which stage is at work.

    Raises:
        PremRunnerError: A stage failed, or somebody asked to stop.
    """
    for name, stage in PIPELINE:
        if run.results.get(name, {}).get("is_done"):
            continue
        run.watch.check()
        begin(name)
        try:
            run.results[name] = {**_patiently(run, name, stage), "is_done": True}
        except BaseException:
            run.tools.work.drop(run.id, name)  # At once: on a full disk nothing else can even be recorded.
            raise
        run.keep(run.results)


def _patiently(run: ImportRun, name: str, stage: Stage) -> dict[str, Any]:
    """Carry out a stage; one that needs the engine waits for it, and is tried again if it was restarted meanwhile."""
    if name not in NEED_ENGINE:
        return stage(run)
    _wait_for_engine(run)
    try:
        return stage(run)
    except (EngineNotReady, EngineLost):
        run.report.say("The engine went away. Waiting for it.")
        _wait_for_engine(run)
        return stage(run)


def _wait_for_engine(run: ImportRun) -> None:
    """Return when the engine runs, or after so long that the stage had better say what is wrong."""
    deadline = time.monotonic() + ENGINE_SECONDS
    while time.monotonic() < deadline:
        with suppress(EngineError):
            run.tools.engine.version()
            return
        run.watch.check()
        time.sleep(LOOK_EVERY_SECONDS)


def take_back(run: ImportRun) -> None:
    """Remove what an import that ended without a model has given to the engine; never fails."""
    given = run.results.pop("create", {})
    compared = run.results.pop("prove", {})
    if not given:
        return
    run.keep(run.results)
    alias, digests = given.get("alias"), [*given.get("digests", []), *compared.get("digests", [])]
    tools = run.tools
    try:
        there = {tagged(model.name) for model in tools.engine.models()}
        for name in (alias, passing_name(run.id)):
            if name and tagged(name) in there:
                tools.engine.delete(name)
        if digests and (blobs := local_blobs(tools.link.state(), tools.paths.builtin_store, tools.paths.root)):
            for digest in digests:
                remove_unused_blob(blobs, digest)
        elif digests:
            _remove_through_a_model(run, digests)
    except (PremRunnerError, OSError):
        logger.warning("The engine still has parts of an import.", extra={"import_id": run.id}, exc_info=True)
    tools.catalog.forget()


def _remove_through_a_model(run: ImportRun, digests: list[str]) -> None:
    """Have an engine that deletes no blobs delete them with a model made of them."""
    name = passing_name(run.id)
    for digest in digests:
        with suppress(PremRunnerError):
            if run.tools.engine.has_blob(digest):
                run.tools.engine.create(name, files={"model.gguf": f"sha256:{digest}"})
                run.tools.engine.delete(name)
