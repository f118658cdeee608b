"""Clients in environments of their own, built once below `.cache` and used again until their pins change."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import STARTER, LiveServer

CACHE = Path(__file__).parent.parent.parent / ".cache" / "clients"
SCRIPTS = Path(__file__).parent / "scripts"
RUN_SECONDS = 240
INSTALL_SECONDS = 600
UV = "uv==0.13.9"

# Together they cannot be installed: three majors of openai, two of premai, two of httpx.
PYTHON = {
    "openai-1": ("openai==1.109.1",),
    "openai-2": ("openai==2.54.0",),
    "openai-3": ("openai==3.54.0",),
    "premai": ("premai==0.18.0",),
    "premai-legacy": ("premai==0.3.107",),
    "langchain": ("langchain-openai==1.7.3", "langchain-tests==1.1.9"),
    "litellm": ("litellm==1.106.2",),
    "pydantic-ai": ("pydantic-ai-slim[openai]==2.68.0",),
    "llama-index": ("llama-index-llms-openai-like==0.8.1",),
    "instructor": ("instructor==1.17.0",),
    "anthropic": ("anthropic==2.12.0",),
    "schemathesis": ("schemathesis==4.32.5",),
}
NODE = {
    "node": ("openai@7.57.0", "@premai/prem-sdk@0.3.100"),
    "axe": ("axe-core@4.14.1",),
}


class Mentioning(str):
    """Equals every text in which it occurs: so small a model does not say the same on every machine."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str(self) in other

    __hash__ = str.__hash__


PARIS = Mentioning("Paris")


def run_python(name: str, script: str, server: LiveServer, *arguments: str) -> dict:
    """Run a script in an environment and return the JSON object that it prints last."""
    return _run([str(python_of(name)), str(SCRIPTS / script), *arguments], server)


def run_node(script: str, server: LiveServer) -> dict:
    """Run a script with node, where its packages are found because it is copied beside them."""
    folder = node_packages()
    shutil.copy(SCRIPTS / script, folder / script)
    return _run(["node", str(folder / script)], server)


def run_pytest(name: str, script: str, server: LiveServer, options: tuple[str, ...] = ()) -> int:
    """Run a script's tests in an environment and return how many passed, none having failed."""
    done = subprocess.run(
        [
            *(str(python_of(name)), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull),
            *("--rootdir", str(SCRIPTS), "--confcutdir", str(SCRIPTS)),
            *(word for option in options for word in ("-o", option)),
            str(SCRIPTS / script),
        ],
        env=environment_of(server),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    return int(passed[1]) if passed else 0


def environment_of(server: LiveServer) -> dict[str, str]:
    """Return what the scripts are told."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREM"))}
    # LiteLLM would look on the internet for prices first, for as long as it takes to find that there is none.
    told = {"BASE": server.url, "TOKEN": server.token, "MODEL": STARTER, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return plain | told


def _run(command: list[str], server: LiveServer) -> dict:
    done = subprocess.run(
        command, env=environment_of(server), capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, which is built if it is not there as it should be."""
    folder = CACHE / name
    wanted = f"{sys.version_info[:2]} {PYTHON[name]}"
    python = folder / "bin" / "python"
    with _locked(name):
        if _built(folder) != wanted or not python.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, PYTHON[name])
            (folder / "built").write_text(wanted)
    return python


def node_packages(name: str = "node") -> Path:
    """Return the folder with some packages for node; skips the test on a machine without node."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("There is no node here.")
    folder = CACHE / name
    with _locked(name):
        if _built(folder) != str(NODE[name]):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            _must("npm", "install", "--no-audit", "--no-fund", "--silent", *NODE[name], cwd=folder)
            (folder / "built").write_text(str(NODE[name]))
    return folder


def _built(folder: Path) -> str:
    stamp = folder / "built"
    return stamp.read_text() if stamp.exists() else ""


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one test process build an environment while the others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: Path, requirements: tuple[str, ...]) -> None:
    """Install with uv, ten times as fast; with pip where uv does not reach what pip is configured for."""
    uv = _uv()
    python = str(folder / "bin" / "python")
    if uv:
        environment = os.environ | {"UV_CACHE_DIR": str(CACHE / "uv-cache")}
        made = subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=False)
        arguments = [uv, "pip", "install", "--quiet", "--python", python, *requirements]
        if made.returncode == 0 and subprocess.run(arguments, env=environment, check=False).returncode == 0:
            return
        shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    _must(python, "-m", "pip", "install", "--quiet", "--no-compile", *requirements)


def _uv() -> str | None:
    folder = CACHE / "uv"
    uv = folder / "bin" / "uv"
    with _locked("uv"):
        if not uv.exists():
            venv.create(folder, with_pip=True)
            subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", UV], check=False)
    return str(uv) if uv.exists() else None


def _must(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
