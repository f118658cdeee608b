"""JSON files of strangers: limited in size, read once, and an error that names the file instead of a traceback."""

import json
from pathlib import Path
from typing import Any

from premrunner.weights.errors import WeightsInvalid

# Real ones: config.json 1 kB, an index of 100 000 tensors 10 MB, Gemma 3's tokenizer.json 33 MB. Parsed JSON takes up
# to twenty times its size, so the limit is what bounds memory.
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_CONFIG_BYTES = 4 * 1024 * 1024


def parse_json_object(content: bytes, file_name: str) -> dict[str, Any]:
    """Parse bytes that must hold one JSON object.

    Raises:
        WeightsInvalid: They do not.
    """
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise WeightsInvalid(f"{file_name} is not JSON ({error}).", file_name=file_name) from error
    if not isinstance(value, dict):
        raise WeightsInvalid(f"{file_name} is not a JSON object.", file_name=file_name)
    return value


def read_json_object(path: Path, *, limit_bytes: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """Read a file that must hold one JSON object.

    Raises:
        WeightsInvalid: It is missing, too large, or not a JSON object.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > limit_bytes:
            raise WeightsInvalid(
                f"{path.name} has {size_bytes} bytes; more than {limit_bytes} make no sense for it.",
                file_name=path.name,
            )
        content = path.read_bytes()
    except OSError as error:
        raise WeightsInvalid(f"{path.name} is missing or cannot be read.", file_name=path.name) from error
    return parse_json_object(content, path.name)


def read_json_object_if_there(path: Path, *, limit_bytes: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """Read a JSON object, or give an empty one where there is no such file.

    Raises:
        WeightsInvalid: The file is there, and too large or not a JSON object.
    """
    return read_json_object(path, limit_bytes=limit_bytes) if path.is_file() else {}
