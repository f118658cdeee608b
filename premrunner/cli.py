"""The ``premrunner`` command: thin, as a view is; each command is one call into the rest."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import premrunner
from premrunner.config import Settings, load_settings
from premrunner.errors import PremRunnerError, SettingsInvalid

if TYPE_CHECKING:
    from premrunner.domain.keys import AccessKeys
    from premrunner.upload_client import UploadClient

EXIT_USAGE = 2


def _reporting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print what goes wrong on purpose as one sentence, with exit code 1, or 2 for settings."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SettingsInvalid as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            sys.exit(EXIT_USAGE)
        except PremRunnerError as error:
            click.echo(error.message, err=True)
            sys.exit(1)

    return run


def _settings(**given: Any) -> Settings:
    """Return the settings, with what the command line gives put into the environment for the processes we start."""
    for name, value in given.items():
        if value is not None:
            os.environ[name.upper()] = str(value)
    return load_settings()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(premrunner.__version__, prog_name="PremRunner")
def main() -> None:
    """Drop a fine-tuned model in the browser, chat with it, call it from code."""


@main.command()
@click.option("--host", help="Address to listen on (HOST).")
@click.option("--port", type=int, help="Port to listen on (PORT).")
@click.option("--reload", is_flag=True, help="Load changed code again, for developers.")
@_reporting
def serve(host: str | None, port: int | None, reload: bool) -> None:
    """Run the site, its engine and its first model until Ctrl-C."""
    from premrunner.serve import Server

    sys.exit(Server(_settings(host=host, port=port), _say, reload=reload).run())


@main.command()
@_reporting
def worker() -> None:
    """Do imports, and clean up, until Ctrl-C. `serve` does this by itself."""
    from premrunner.worker import Worker

    Worker(load_settings()).run()


@main.command()
@_reporting
def token() -> None:
    """Print the access token."""
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    paths = DataPaths(settings.data_path)
    paths.prepare()
    click.echo(settings.auth_token or paths.secret(paths.token))


@main.command()
@click.argument("target", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call the model; the file's name if not given.")
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@_reporting
def upload(target: Path, name: str | None, url: str | None, given_token: str | None) -> None:
    """Upload a model: an archive, a GGUF or a folder. Given again, it goes on where it stopped."""
    _say("\n" + _upload_client(url, given_token).upload(target, name))


def _upload_client(url: str | None, given_token: str | None) -> "UploadClient":
    """Return a client of another PremRunner, or of the one that runs with these settings."""
    from premrunner.storage.paths import DataPaths
    from premrunner.upload_client import UploadClient

    settings = load_settings()
    paths = DataPaths(settings.data_path)
    access_token = given_token or settings.auth_token or (paths.secret(paths.token) if not url else "")
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    return UploadClient(url or f"http://{address}:{settings.port}", access_token, _show_progress)


@main.command("import")
@click.argument("target", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call the model; the file's name if not given.")
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@_reporting
def import_model(target: Path, name: str | None, url: str | None, given_token: str | None) -> None:
    """Upload a model and wait until it answers, with live progress; exit code 1 if it does not."""
    from premrunner.import_client import follow

    client = _upload_client(url, given_token)
    client.upload(target, name)
    sys.exit(0 if follow(client, _say, _show_progress) else 1)


@main.command()
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@_reporting
def models(url: str | None, given_token: str | None) -> None:
    """List the models, ours first."""
    for model in _upload_client(url, given_token).models():
        size = f"{model['size'] / 1e9:.2f} GB" if model.get("size") else ""
        state = "ready" if model["active"] else "not ready"
        _say(f"{model['alias']:<40} {state:<10} {size:>10}  {model['name']}")


@main.command()
@click.option("--clean", "is_cleaning", is_flag=True, help="Delete the leftovers that are found.")
@_reporting
def doctor(is_cleaning: bool) -> None:
    """Check engine, database, disk and port, and list what killed processes left."""
    from premrunner.app import create_app
    from premrunner.doctor import examine

    settings = load_settings()
    findings = examine(create_app(settings), settings, is_cleaning=is_cleaning)
    for finding in findings:
        _say(f"{'ok  ' if finding.is_well else 'BAD '} {finding.subject:<10} {finding.message}")
    sys.exit(0 if all(finding.is_well for finding in findings) else 1)


def _show_progress(line: str) -> None:
    """Draw a line over the one before; nothing where nobody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{line}\033[K", nl=False, err=True)


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def convert(arguments: tuple[str, ...]) -> None:
    """Turn safetensors, and an adapter if there is one, into one GGUF file."""
    # Several pieces are at work already; more threads of the linear algebra library would wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from premrunner.weights.command_line import main as convert_files

    sys.exit(convert_files(arguments))


@main.group()
def engine() -> None:
    """The program that runs models."""


@engine.command("run")
@_reporting
def run_engine() -> None:
    """Own the engine in the foreground: find it or start it, watch it, restart it. `serve` does this by itself."""
    from premrunner.app import engine_supervisor
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    DataPaths(settings.data_path).prepare()
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ending.set())
    supervisor = engine_supervisor(settings, lambda state: _say(f"Engine: {state.state.value}. {state.why}".strip()))
    supervisor.start()
    ending.wait()
    supervisor.stop()


@engine.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", default=11434, show_default=True, help="Port to listen on.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder of its models; below DATA_PATH if not given.")
@_reporting
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
@_reporting
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
    with _progress_bar("Fetching Ollama") as progress:
        installed = install_ollama(paths.ollama, release_url=settings.ollama_release_url, progress=progress)
    click.echo(f"Installed: {installed.executable}. The next `premrunner serve` uses it.")


@contextmanager
def _progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a reporter of bytes done and in all, shown as a bar with rate and time left."""
    with click.progressbar(length=1, label=label, show_pos=False) as bar:

        def report(done_bytes: int, total_bytes: int) -> None:
            bar.length = max(total_bytes, 1)
            bar.update(done_bytes - bar.pos)

        yield report


@main.group()
def keys() -> None:
    """Access keys: what programs may be given instead of the token."""


@keys.command("create")
@click.argument("name")
@click.option("--model", "models", multiple=True, help="A model it may call; may be repeated. All if not given.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Requests it may send in a minute.")
@click.option("--tokens-per-day", type=click.IntRange(1), help="Tokens it may use from midnight to midnight UTC.")
@_reporting
def create_key(name: str, models: tuple[str, ...], requests_per_minute: int | None, tokens_per_day: int | None) -> None:
    """Make an access key and print it; it is never shown again."""
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_day": tokens_per_day}
    click.echo(_access_keys().create(name, models=models, **limits).secret)


@keys.command("list")
@_reporting
def list_keys() -> None:
    """List the access keys, newest first."""
    for key in _access_keys().all():
        limits = (
            f"only {', '.join(key.models)}" if key.models else "",
            f"{key.requests_per_minute} requests a minute" if key.requests_per_minute else "",
            f"{key.tokens_per_day} tokens a day" if key.tokens_per_day else "",
        )
        click.echo("  ".join((f"{key.created_at:%Y-%m-%d}", key.hint, key.name, *(text for text in limits if text))))


@keys.command("revoke")
@click.argument("name")
@_reporting
def revoke_key(name: str) -> None:
    """End an access key, by its name or id, at once."""
    click.echo(f"Revoked {_access_keys().revoke(name).name}.")


def _access_keys() -> "AccessKeys":
    from premrunner.app import access_keys_of, create_app

    return access_keys_of(create_app(load_settings()))


@main.group()
def database() -> None:
    """The database: upgrades, and what a killed process left."""


@database.command("upgrade")
@_reporting
def upgrade_database() -> None:
    """Apply missing migrations, after a copy was made. `serve` does this by itself."""
    from premrunner.app import create_app, prepare_database

    prepare_database(create_app(load_settings()))


@database.command("settle", hidden=True)
@click.argument("pid", type=int)
@_reporting
def settle(pid: int) -> None:
    """Mark the calls that a dead web process had in hand."""
    from premrunner.app import create_app, settle_process

    settle_process(create_app(load_settings()), pid)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
