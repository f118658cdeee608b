"""The engine that a data folder owns: where its files are, and who starts and watches it."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from premrunner.config import Settings
from premrunner.engine.address import EngineAddress, parse_ollama_host
from premrunner.engine.state import EngineState
from premrunner.engine.supervision.launch import EngineFolders, EngineLauncher, builtin_command
from premrunner.engine.supervision.plan import EngineMode, EngineWish
from premrunner.engine.supervision.supervisor import EngineSupervisor
from premrunner.storage.paths import DataPaths


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
