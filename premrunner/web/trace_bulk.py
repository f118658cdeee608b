"""The recorded calls in bulk: figures over them, and files of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.trace_formats import FORMATS
from premrunner.domain.trace_statistics import Column
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter
from premrunner.web.services import services
from premrunner.web.trace_filter import FILTER, trace_filter

bp = Blueprint("trace_bulk", __name__)

KINDS = {"jsonl": "application/jsonl", "json": "application/json", "csv": "text/csv"}
FILES = tuple(kind for kind in KINDS.values() if kind != "application/json")
# One write for many lines.
BLOCK_BYTES = 64 * 1024

FORMAT = Parameter(
    "format",
    parsing.choice(*FORMATS),
    meaning="Training data: `openai` messages, `alpaca`, `preference` pairs of corrected answers. Everything: `jsonl`, "
    "`json`, `csv`.",
    is_required=True,
)
# Sums know of neither words nor feedback.
SUMMED = tuple(parameter for parameter in FILTER if parameter.name not in ("q", "feedback"))


@bp.get("/traces/stats")
@operation(answer="TraceStats", query=SUMMED)
def show_stats() -> Response:
    """Show calls, latency and tokens over time."""
    services().tracing.settle()
    found = services().trace_statistics.over(trace_filter(request.args))
    return jsonify(
        columnSeconds=int(found.width.total_seconds()),
        columns=[{"start": column.start.isoformat(), **_figures(column)} for column in found.columns],
        total=_figures(found.whole),
    )


@bp.get("/traces/export")
@operation(answer="TraceExport", files=FILES, query=(FORMAT, *FILTER))
def export_traces() -> Response:
    """Export calls as training data or tables, streamed, newest first."""
    name = parsing.fields([FORMAT], request.args)["format"]
    ending, write = FORMATS[name]
    services().tracing.settle()
    lines = write(services().trace_export.calls(trace_filter(request.args)))
    day = datetime.now(timezone.utc).date().isoformat()
    return Response(
        _blocks(lines),
        mimetype=KINDS[ending],
        headers={"Content-Disposition": f'attachment; filename="traces-{name}-{day}.{ending}"'},
    )


def _figures(column: Column) -> dict[str, Any]:
    return {
        "calls": column.calls,
        "failed": column.failed,
        "promptTokens": column.prompt_tokens,
        "completionTokens": column.completion_tokens,
        "p50Ms": column.p50_ms,
        "p95Ms": column.p95_ms,
    }


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)
