"""The end of a log that somebody is writing."""

from pathlib import Path


def read_end(file: Path, position: int | None, most_bytes: int) -> tuple[str, int, bool]:
    """Return whole lines from a position to the end, where the next ones begin, and whether the file began anew.

    Args:
        file: Need not be there.
        position: None for the last lines.
        most_bytes: Read at most so much; older lines are left out.
    """
    try:
        with file.open("rb") as log:
            size = log.seek(0, 2)
            is_new = position is None or position > size
            start = 0 if position is None or is_new else position
            begin = max(start, size - most_bytes)
            log.seek(begin)
            data = log.read(size - begin)
    except OSError:
        return "", 0, True
    if begin > start:  # In the middle of a line, most likely.
        cut = data.find(b"\n") + 1
        begin, data = begin + cut, data[cut:]
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace"), begin + len(whole), is_new
