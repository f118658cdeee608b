"""How pages write sizes, durations and times, and what they call the engine and its states."""

from datetime import datetime


def size_text(size_bytes: float) -> str:
    """Return a size in the decimal units of disks and downloads."""
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def duration_text(duration_ms: float) -> str:
    """Return a duration with as many digits as matter."""
    if duration_ms < 1000:
        return f"{duration_ms:.0f} ms"
    seconds = duration_ms / 1000
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s"


def time_text(moment: datetime) -> str:
    """Return a time of day in UTC; a script rewrites it to the reader's own, in the same width."""
    return moment.strftime("%d %b %H:%M:%S")


ENGINE_NAMES = {"builtin": "built-in (llama.cpp)", "ollama": "Ollama"}
ENGINE_STATES = {
    "running": "Ready",
    "starting": "Starting",
    "stopped": "Stopped",
    "failed": "Failed",
    "not_installed": "Not installed",
    "wrong_program": "Port taken",
}

FILTERS = {"size": size_text, "duration": duration_text, "clock": time_text}
