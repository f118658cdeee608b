"""Commands for access keys."""

from typing import TYPE_CHECKING

import click

from premrunner.cli.console import reporting
from premrunner.config import load_settings

if TYPE_CHECKING:
    from premrunner.domain.keys import AccessKeys


@click.group()
def keys() -> None:
    """Access keys: what programs may be given instead of the token."""


@keys.command("create")
@click.argument("name")
@click.option("--model", "models", multiple=True, help="A model it may call; may be repeated. All if not given.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Requests it may send in a minute.")
@click.option("--tokens-per-day", type=click.IntRange(1), help="Tokens it may use from midnight to midnight UTC.")
@reporting
def create_key(name: str, models: tuple[str, ...], requests_per_minute: int | None, tokens_per_day: int | None) -> None:
    """Make an access key and print it; it is never shown again."""
    limits = {"requests_per_minute": requests_per_minute, "tokens_per_day": tokens_per_day}
    click.echo(_access_keys().create(name, models=models, **limits).secret)


@keys.command("list")
@reporting
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
@reporting
def revoke_key(name: str) -> None:
    """End an access key, by its name or id, at once."""
    click.echo(f"Revoked {_access_keys().revoke(name).name}.")


def _access_keys() -> "AccessKeys":
    from premrunner.app import access_keys_of, create_app

    return access_keys_of(create_app(load_settings()))
