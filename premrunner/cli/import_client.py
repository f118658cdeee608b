"""``premrunner import``: follow a model from its upload to its first answer, in a terminal."""

import time
from collections.abc import Callable
from typing import Any

from premrunner.cli.upload_client import UploadClient

LOOK_SECONDS = 0.3
ENDED = {"ready", "failed", "cancelled"}

Show = Callable[[str], None]


def follow(client: UploadClient, say: Show, show_progress: Show) -> bool:
    """Tell what an import does until it has ended, and return whether its model is ready.

    Args:
        client: One that has uploaded.
        say: Prints a line.
        show_progress: Draws a line over the one before.

    Raises:
        UploadFailed: The server cannot be reached.
    """
    said = 0
    while True:
        status = client.status()
        for event in status.get("events", ()):
            if event["number"] > said and event["doneBytes"] == 0:
                say(f"{event['stage'] or event['status']:<9} {event['message']}")
            said = max(said, event["number"])
        if status["status"] in ENDED:
            _conclude(status, say)
            return bool(status["imported"])
        show_progress(_line(status))
        time.sleep(LOOK_SECONDS)


def _line(status: dict[str, Any]) -> str:
    last = (status.get("events") or [{}])[-1]
    rate = f", {last['bytesPerSecond'] / 1e6:.0f} MB/s" if last.get("bytesPerSecond") else ""
    left = f", {last['secondsLeft']:.0f} s left" if last.get("secondsLeft") else ""
    return f"{status.get('stage') or 'waiting':<9} {status.get('percent', 0):3d} %{rate}{left}"


def _conclude(status: dict[str, Any], say: Show) -> None:
    if error := status.get("error"):
        say(f"\n{error['message']}\n{error['hint']}")
    proof = status.get("proof") or {}
    if status["imported"]:
        speed = f" ({proof['tokensPerSecond']:.0f} tokens/s)" if proof.get("tokensPerSecond") else ""
        for warning in (status.get("found") or {}).get("warnings", ()):
            say(f"Note: {warning}")
        say(f"\nReady: call it as '{status['alias']}'. It says{speed}: {proof.get('answer', '')}")
