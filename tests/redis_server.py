"""Redis for tests: Debian's own, with nothing kept."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

INSTALL = Path(__file__).parent / "install.sh"


@contextmanager
def running_redis(folder: Path, port: int) -> Iterator[str]:
    """Yield the URL of a Redis that ends with the block; skips where none can be installed."""
    program = shutil.which("redis-server") or _installed()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        deadline = time.monotonic() + 20
        while not _answers(url):
            assert time.monotonic() < deadline, "Redis does not answer."
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def _installed() -> str:
    done = subprocess.run(["sh", str(INSTALL), "redis-server"], capture_output=True, text=True, check=False)
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip(f"Redis cannot be installed here: {done.stderr.strip()[-200:]}")
    return program


def _answers(url: str) -> bool:
    try:
        with redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
