"""How log lines look: time, level, place, the event, and its ids behind it."""

import logging
import sys

# What every record has; the rest is what the caller gave as ``extra``.
STANDARD = set(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """Writes the ``extra`` of a record behind its message as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # The standard library's name.
        """Return the line without a traceback."""
        fields = [f"{name}={value}" for name, value in record.__dict__.items() if name not in STANDARD]
        return " ".join([super().formatMessage(record), *fields])


def start_logging(level: str) -> None:
    """Send the package's events to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    logger = logging.getLogger("premrunner")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
