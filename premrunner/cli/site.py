"""Commands that run and look after the site."""

import os
import sys

import click

from premrunner.cli.console import given_settings, reporting, say
from premrunner.config import load_settings


@click.command()
@click.option("--host", help="Address to listen on (HOST).")
@click.option("--port", type=int, help="Port to listen on (PORT).")
@click.option("--reload", is_flag=True, help="Load changed code again, for developers.")
@reporting
def serve(host: str | None, port: int | None, reload: bool) -> None:
    """Run the site, its engine and its first model until Ctrl-C."""
    from premrunner.serve import Server

    sys.exit(Server(given_settings(host=host, port=port), say, reload=reload).run())


@click.command()
@reporting
def worker() -> None:
    """Do imports, and clean up, until Ctrl-C. `serve` does this by itself."""
    # A merge has several pieces at work already; the linear algebra library reads this when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from premrunner.worker import Worker

    Worker(load_settings()).run()


@click.command()
@reporting
def token() -> None:
    """Print the access token."""
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    paths = DataPaths(settings.data_path)
    paths.prepare()
    click.echo(settings.auth_token or paths.secret(paths.token))


@click.command()
@click.option("--clean", "is_cleaning", is_flag=True, help="Delete the leftovers that are found.")
@reporting
def doctor(is_cleaning: bool) -> None:
    """Check engine, database, disk and port, and list what killed processes left."""
    from premrunner.app import create_app
    from premrunner.doctor import examine

    settings = load_settings()
    findings = examine(create_app(settings), settings, is_cleaning=is_cleaning)
    for finding in findings:
        say(f"{'ok  ' if finding.is_well else 'BAD '} {finding.subject:<10} {finding.message}")
    sys.exit(0 if all(finding.is_well for finding in findings) else 1)


@click.group()
def database() -> None:
    """The database: upgrades, and what a killed process left."""


@database.command("upgrade")
@reporting
def upgrade_database() -> None:
    """Apply missing migrations, after a copy was made. `serve` does this by itself."""
    from premrunner.app import create_app, prepare_database

    prepare_database(create_app(load_settings()))


@database.command("settle", hidden=True)
@reporting
def settle() -> None:
    """Mark what dead processes had in hand as interrupted."""
    from premrunner.app import create_app, settle_dead_processes

    settle_dead_processes(create_app(load_settings()))
