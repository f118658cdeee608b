"""What chats are sent through: the engine itself, PremRunner, and other proxies before the same engine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.fake_engine import MODELS
from bench.servers import ROOT, Server, free_port, peer_python, premrunner, running
from premrunner.engine.state import read_state

ASYNCIO = ("asyncio", "fastapi", "uvicorn[standard]", "httpx", "aiohttp")
LITELLM = ("litellm", "litellm[proxy]")
PROXIES = Path(__file__).parent / "proxies"


def install_peers() -> None:
    """Make the environments of the other proxies."""
    peer_python(*ASYNCIO)
    peer_python(*LITELLM)


@dataclass(frozen=True)
class Way:
    """One way to the engine."""

    name: str
    server: Server
    path: str

    def body(self, model: str) -> dict[str, Any]:
        """Return a request for a streamed answer."""
        return {"model": model, "messages": [{"role": "user", "content": "Go on."}], "stream": True}


@contextmanager
def fake_engine(folder: Path) -> Iterator[Server]:
    """Run the engine."""
    port = free_port()
    command = [sys.executable, "-m", "bench.fake_engine", str(port)]
    with running("engine", command, port, folder / "engine") as server:
        yield server


@contextmanager
def ours(folder: Path, engine: Server) -> Iterator[Way]:
    """Run PremRunner, with an owner that believes the engine to be an Ollama."""
    data = folder / "PremRunner"
    names = {"DATA_PATH": str(data), "PREMRUNNER_ENGINE": "ollama", "OLLAMA_HOST": f"127.0.0.1:{engine.port}"}
    limits = {"MODEL_CONCURRENCY": "1000"}
    with premrunner(folder, "PremRunner", **names, **limits) as server:
        owner = subprocess.Popen(
            [sys.executable, "-m", "premrunner", "engine", "run"], env=os.environ | names, cwd=ROOT
        )
        try:
            while not read_state(data / "run").is_running:
                time.sleep(0.05)
            yield Way("PremRunner", server, "/v1/chat/completions")
        finally:
            owner.terminate()
            owner.wait()


@contextmanager
def fastapi(folder: Path, engine: Server) -> Iterator[Way]:
    """Run the FastAPI proxy."""
    python, port = peer_python(*ASYNCIO), free_port()
    serve = ["-m", "uvicorn", "--app-dir", str(PROXIES), "fastapi_proxy:app", "--port", str(port)]
    command = [str(python), *serve, "--log-level", "warning", "--no-access-log"]
    with running("FastAPI", command, port, folder / "fastapi", _engine(engine)) as server:
        yield Way("FastAPI + httpx, bytes", server, "/api/chat")


@contextmanager
def aiohttp(folder: Path, engine: Server) -> Iterator[Way]:
    """Run the aiohttp proxy."""
    python, port = peer_python(*ASYNCIO), free_port()
    command = [str(python), str(PROXIES / "aiohttp_proxy.py"), str(port)]
    with running("aiohttp", command, port, folder / "aiohttp", _engine(engine)) as server:
        yield Way("aiohttp, bytes", server, "/api/chat")


@contextmanager
def litellm(folder: Path, engine: Server) -> Iterator[Way]:
    """Run LiteLLM's proxy, which does what we do but the traces: names, OpenAI's shape, errors."""
    python, port, place = peer_python(*LITELLM), free_port(), folder / "litellm"
    place.mkdir()
    entries = [
        f"  - model_name: {name}\n    litellm_params:\n      model: ollama_chat/{name}\n"
        f"      api_base: http://127.0.0.1:{engine.port}\n"
        for name in MODELS
    ]
    (place / "config.yaml").write_text("model_list:\n" + "".join(entries))
    command = [str(python.parent / "litellm"), "--config", str(place / "config.yaml"), "--port", str(port)]
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    offline["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # It is asked from this machine only.
    with running("LiteLLM", [*command, "--host", "127.0.0.1", "--telemetry", "False"], port, place, offline) as server:
        yield Way("LiteLLM proxy", server, "/v1/chat/completions")


def _engine(engine: Server) -> dict[str, str]:
    return {"ENGINE": f"http://127.0.0.1:{engine.port}"}
