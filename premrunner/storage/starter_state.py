"""How far the starter model is: one small file, written by the process that fetches it and read by the pages."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class StarterState:
    """One step.

    Attributes:
        stage: ``fetching``, ``creating``, ``ready`` or ``failed``.
        percent: How much of the fetching is done.
        message: A sentence for the user.
    """

    stage: str
    percent: int
    message: str


def write_state(path: Path, state: StarterState | None) -> None:
    """Publish a step, or None that nothing is going on; a disk that takes nothing costs only the display."""
    part = path.with_name(f"{path.name}-{os.getpid()}")
    with suppress(OSError):
        if state is None:
            path.unlink(missing_ok=True)
            return
        part.write_text(json.dumps(asdict(state)))
        part.replace(path)


def read_state(path: Path) -> StarterState | None:
    """Return the last step; None when nothing was ever going on."""
    try:
        return StarterState(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
