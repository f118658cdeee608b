"""Where the time of a call went, as parts of a bar."""

from dataclasses import dataclass

from premrunner.records import Trace

# What rounds to nothing is not a part of the bar.
LEAST_MS = 0.5


@dataclass(frozen=True)
class Phase:
    """A part of a call.

    Attributes:
        name: Its label; in lower case also its class in the stylesheet.
        meaning: What happens in it.
        duration_ms: How long it took.
        start_percent: Where it begins on the bar.
        width_percent: How much of the bar it takes.
    """

    name: str
    meaning: str
    duration_ms: float
    start_percent: float
    width_percent: float


def phases_of(trace: Trace) -> list[Phase]:
    """Return the phases that took time, in their order; what the engine did not account for is left free."""
    measured = [
        ("Queued", "waiting for a place", trace.queued_ms),
        ("Load", "bringing the model into memory", trace.load_ms),
        ("Prefill", "reading the prompt", trace.prefill_ms),
        ("Decode", "writing the answer", trace.decode_ms),
    ]
    whole_ms = max(trace.duration, sum(duration_ms for _, _, duration_ms in measured))
    phases, start = [], 0.0
    for name, meaning, duration_ms in measured:
        if duration_ms >= LEAST_MS:
            width = 100 * duration_ms / whole_ms
            phases.append(Phase(name, meaning, duration_ms, round(start, 2), round(width, 2)))
            start += width
    return phases
