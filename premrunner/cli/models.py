"""Commands that bring and list models."""

import sys
from pathlib import Path
from typing import Any

import click

from premrunner.cli.console import reporting, say, show_progress
from premrunner.cli.upload_client import UploadClient
from premrunner.config import load_settings


@click.command()
@click.argument("target", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call the model; the file's name if not given.")
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@reporting
def upload(target: Path, name: str | None, url: str | None, given_token: str | None) -> None:
    """Upload a model: an archive, a GGUF or a folder. Given again, it goes on where it stopped."""
    say("\n" + _upload_client(url, given_token).upload(target, name))


def _upload_client(url: str | None, given_token: str | None) -> UploadClient:
    """Return a client of another PremRunner, or of the one that runs with these settings."""
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    paths = DataPaths(settings.data_path)
    access_token = given_token or settings.auth_token or (paths.secret(paths.token) if not url else "")
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    return UploadClient(url or f"http://{address}:{settings.port}", access_token, show_progress)


@click.command("import")
@click.argument("target", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call the model; the file's name if not given.")
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@click.option("--quantize", "outputType", help="What safetensors become, such as q4_k_m; as stored if not given.")
@click.option("--base", help="Id or name of the adapter's base; found by the adapter's own word if not given.")
@click.option("--keep-as-base", "keepAsBase", is_flag=True, help="Keep the weights for adapters that come later.")
@reporting
def import_model(target: Path, name: str | None, url: str | None, given_token: str | None, **options: Any) -> None:
    """Upload a model and wait until it answers, with live progress; exit code 1 if it does not."""
    from premrunner.cli.import_client import follow

    client = _upload_client(url, given_token)
    say("\n" + client.upload(target, name, {name: value for name, value in options.items() if value}))
    sys.exit(0 if follow(client, say, show_progress) else 1)


@click.command()
@click.option("--url", help="Address of another PremRunner; the one of these settings if not given.")
@click.option("--token", "given_token", envvar="AUTH_TOKEN", help="Its access token (AUTH_TOKEN).")
@reporting
def models(url: str | None, given_token: str | None) -> None:
    """List the models, ours first."""
    for model in _upload_client(url, given_token).models():
        size = f"{model['size'] / 1e9:.2f} GB" if model.get("size") else ""
        state = "ready" if model["active"] else "not ready"
        say(f"{model['alias']:<40} {state:<10} {size:>10}  {model['name']}")


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def convert(arguments: tuple[str, ...]) -> None:
    """Turn safetensors, and an adapter if there is one, into one GGUF file."""
    from premrunner.weights.command_line import main as convert_files

    sys.exit(convert_files(arguments))
