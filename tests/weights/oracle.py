"""A client for ``oracle_server.py``, and where its python is found."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

SERVER = Path(__file__).with_name("oracle_server.py")
INSTALLED = Path(__file__).parents[2] / ".cache" / "oracle"
PACKAGES = ("torch", "transformers", "peft", "conversion")


def oracle_python() -> str | None:
    """Give a python that has llama.cpp's converter, transformers and PEFT, or None."""
    if configured := os.environ.get("PREMRUNNER_ORACLE_PYTHON"):
        return configured
    if (INSTALLED / "installed").exists():  # By `make oracle`.
        return str(INSTALLED / "bin" / "python")
    return sys.executable if all(importlib.util.find_spec(package) for package in PACKAGES) else None


class Oracle:
    """The process, started at its first question."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._process: subprocess.Popen[str] | None = None

    def ask(self, command: str, **request: object) -> dict:
        if self._process is None:
            self._process = subprocess.Popen(
                [self._python, str(SERVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "2"},
            )
        self._process.stdin.write(json.dumps({"command": command, **request}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def convert(self, folder: Path, destination: Path, output_type: str, pre: str | None = None) -> Path:
        self.ask("convert", folder=str(folder), destination=str(destination), output_type=output_type, pre=pre)
        return destination

    def quantize(self, source: Path, destination: Path, output_type: str) -> Path:
        self.ask("quantize", source=str(source), destination=str(destination), output_type=output_type)
        return destination

    def close(self) -> None:
        if self._process:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait(30)
