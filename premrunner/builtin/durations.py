"""``keep_alive``: how long a model stays loaded, as seconds or as one of Go's durations."""

import math
import re

from premrunner.builtin.refusals import Refusal

FOREVER = math.inf

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"[+-]?(?:{_PART.pattern})+", re.ASCII)

# Longer than any of Go's durations (292 years); a timer would overflow.
_LONGEST_SECONDS = 9_223_372_036.0


def parse_go_duration(text: str) -> float:
    """Return the seconds of a duration such as ``1h15m30.5s`` or ``-1m``.

    Raises:
        Refusal: Not a duration; a number other than 0 needs a unit.
    """
    if text in {"0", "+0", "-0"}:
        return 0.0
    if not _DURATION.fullmatch(text):
        raise Refusal(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def parse_keep_alive(wanted: object, default_seconds: float) -> float:
    """Return how many seconds a model shall stay loaded after its last request.

    Args:
        wanted: The request's field: absent (None), a number of seconds, or a Go duration; negative is for ever.
        default_seconds: What holds when the field is absent.

    Raises:
        Refusal: Neither a number nor a duration.
    """
    if wanted is None:
        return default_seconds
    if isinstance(wanted, str):
        seconds = parse_go_duration(wanted)
    elif isinstance(wanted, int | float) and not isinstance(wanted, bool):
        seconds = float(wanted)
    else:
        kind = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}.get(type(wanted), "unknown")
        raise Refusal(f"Unsupported type: '{kind}'")
    return FOREVER if seconds < 0 or seconds > _LONGEST_SECONDS else seconds
