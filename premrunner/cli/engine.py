"""Commands for the engine alone."""

import signal
import threading
from pathlib import Path

import click

from premrunner.cli.console import progress_bar, reporting, say
from premrunner.config import load_settings


@click.group()
def engine() -> None:
    """The program that runs models."""


@engine.command("run")
@reporting
def run_engine() -> None:
    """Own the engine in the foreground: find it or start it, watch it, restart it. `serve` does this by itself."""
    from premrunner.owned_engine import engine_supervisor
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    DataPaths(settings.data_path).prepare()
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ending.set())
    supervisor = engine_supervisor(settings, lambda state: say(f"Engine: {state.state.value}. {state.why}".strip()))
    supervisor.start()
    ending.wait()
    supervisor.stop()


@engine.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", default=11434, show_default=True, help="Port to listen on.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder of its models; below DATA_PATH if not given.")
@reporting
def serve_engine(host: str, port: int, store: Path | None) -> None:
    """Run the built-in engine alone: Ollama's API over llama.cpp."""
    from premrunner.builtin.server import serve as serve_builtin
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    serve_builtin(
        host, port, store or DataPaths(settings.data_path).builtin_store, context_length=settings.context_length
    )


@engine.command("install")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@reporting
def install_engine(is_agreed: bool) -> None:
    """Fetch the official Ollama release into DATA_PATH. Nothing outside of it is touched."""
    from premrunner.engine.installation.install import Platform, install_ollama
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    paths = DataPaths(settings.data_path)
    paths.prepare()
    [archive, *_] = Platform.current().archive_names()
    question = f"Fetch {archive} (up to 2 GB) from {settings.ollama_release_url} into {paths.ollama}?"
    if not is_agreed and not click.confirm(question):
        raise click.Abort
    with progress_bar("Fetching Ollama") as progress:
        installed = install_ollama(paths.ollama, release_url=settings.ollama_release_url, progress=progress)
    click.echo(f"Installed: {installed.executable}. The next `premrunner serve` uses it.")
