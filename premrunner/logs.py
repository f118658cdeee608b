"""How log lines look: time, level, place, the event, and its ids behind it; as text, or as JSON."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any

# What every record has; the rest is what the caller gave as ``extra``.
STANDARD = set(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}

# The request at hand; its lines carry it, whoever writes them.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ids that a record carries."""
    fields = {name: value for name, value in record.__dict__.items() if name not in STANDARD}
    current = request_id.get()
    return {"request_id": current, **fields} if current else fields


class TextFormatter(logging.Formatter):
    """Writes the fields of a record behind its message as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # The standard library's name.
        """Return the line without a traceback; one line, whatever a stranger put into a name."""
        fields = (f"{name}={value}" for name, value in fields_of(record).items())
        return " ".join([super().formatMessage(record), *fields]).replace("\r", "\\r").replace("\n", "\\n")


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object on one line, a traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}


def start_logging(level: str, form: str) -> None:
    """Send the package's events to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FORMATTERS[form]())
    logger = logging.getLogger("premrunner")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
