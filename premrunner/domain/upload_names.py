"""Which names and files can become a model, decided before a byte is sent."""

import re
import unicodedata
from collections.abc import Sequence

from premrunner.errors import InvalidRequest

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
WEIGHTS = (".gguf", ".safetensors")
CONFIGURATIONS = {"config.json", "adapter_config.json"}
SPLIT_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)

# What every file system of a user can name, so that the model can also be downloaded again.
LONGEST_PART_BYTES = 255
LONGEST_PATH_BYTES = 1024
LONGEST_MODEL_NAME = 200
FILES_MOST = 10_000
# Cc: control characters with newline and NUL; Cs: halves of characters, which no disk and no database takes.
UNWRITABLE = {"Cc", "Cs"}


def check_model_name(name: str, param: str = "modelName") -> str:
    """Return a model's name without the space around it.

    Raises:
        InvalidRequest: It is empty, too long or cannot be written in a line.
    """
    name = name.strip()
    if not name:
        raise InvalidRequest(f"'{param}' must be a name that is not empty.", param=param)
    if len(name) > LONGEST_MODEL_NAME:
        raise InvalidRequest(f"'{param}' has {len(name)} characters; at most {LONGEST_MODEL_NAME} fit.", param=param)
    if not _is_writable(name):
        raise InvalidRequest(f"'{param}' has a line break or another character that cannot be shown.", param=param)
    return name


def check_path(path: str, param: str = "fileName") -> str:
    """Return the name of a file, with its folders if it has some.

    Raises:
        InvalidRequest: It is empty, absolute, too long, leads out of its folder or cannot be written in a line.
    """
    parts = path.split("/")
    problem = ""
    if not _is_writable(path):
        problem = "has a line break or another character that cannot be shown"
    elif "\\" in path or any(part in ("", ".", "..") for part in parts):
        problem = "is not a plain name, nor names with '/' between them"
    elif len(path.encode()) > LONGEST_PATH_BYTES or any(len(part.encode()) > LONGEST_PART_BYTES for part in parts):
        problem = f"is longer than {LONGEST_PART_BYTES} bytes, so no disk can keep it"
    if problem:
        raise InvalidRequest(f"'{param}' {problem}. Rename the file.", param=param)
    return path


def check_files(paths: Sequence[str]) -> None:
    """Return if these files together can be a model: an archive, a GGUF with all its parts, or a folder of weights.

    Raises:
        InvalidRequest: They cannot; it says what is missing.
    """
    if len(paths) > FILES_MOST:
        raise InvalidRequest(f"{len(paths)} files are too many; send at most {FILES_MOST}, or one archive.")
    folded = [unicodedata.normalize("NFC", path).casefold() for path in paths]
    if len(set(folded)) < len(folded):
        raise InvalidRequest("Two of the files have the same name, or differ in upper and lower case alone.")
    if len(paths) == 1 and folded[0].endswith(ARCHIVES):
        return
    if not any(name.endswith(WEIGHTS) for name in folded):
        raise InvalidRequest(
            "No file of a kind that can be used: .zip, .tar, .tar.gz, .gguf, or a folder with .safetensors files."
        )
    if any(name.endswith(".safetensors") for name in folded) and not any(
        name.rsplit("/", 1)[-1] in CONFIGURATIONS for name in folded
    ):
        raise InvalidRequest(
            "A .safetensors file alone does not say what model it is. Send its whole folder, with config.json (or "
            "adapter_config.json) and the tokenizer's files."
        )
    _check_split_parts(paths)


def _check_split_parts(paths: Sequence[str]) -> None:
    found: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        if part := SPLIT_PART.fullmatch(path):
            found.setdefault((part["stem"], int(part["count"])), set()).add(int(part["number"]))
    for (stem, count), numbers in found.items():
        missing = sorted(set(range(1, count + 1)) - numbers)
        if missing:
            first = f"{stem}-{missing[0]:05d}-of-{count:05d}.gguf"
            raise InvalidRequest(f"{len(missing)} of the model's {count} parts are missing, first '{first}'.")


def _is_writable(text: str) -> bool:
    return not any(unicodedata.category(character) in UNWRITABLE for character in text)
