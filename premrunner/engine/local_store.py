"""Where the engine's blobs lie, if they are provably ours to link files into."""

from pathlib import Path

from premrunner.engine.state import EngineState


def local_blobs(state: EngineState, builtin_store: Path, data_path: Path) -> Path | None:
    """Return the folder of the running engine's blobs, or None where that is not certain.

    Certain are the built-in engine that this data folder's owner started, and an Ollama that it started with its models
    in this data folder.

    Args:
        state: As the owner published it.
        builtin_store: Where the owner has the built-in engine keep its models.
        data_path: The data folder.
    """
    if not state.is_running or state.pid is None:
        return None
    if state.engine == "builtin":
        return builtin_store / "blobs"
    models = _variable(state.pid, "OLLAMA_MODELS")
    if not models or not Path(models).is_relative_to(data_path):
        return None
    return Path(models) / "blobs"


def _variable(pid: int, name: str) -> str:
    """Return a variable of a process's environment; empty where the system does not show it."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    for line in environment.split(b"\0"):
        key, _, value = line.partition(b"=")
        if key.decode("utf-8", "replace") == name:
            return value.decode("utf-8", "replace")
    return ""
