"""What commands share: the way they speak, and the way they fail."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from premrunner.config import Settings, load_settings
from premrunner.errors import PremRunnerError, SettingsInvalid

EXIT_USAGE = 2


def reporting(command: Callable[..., Any]) -> Callable[..., Any]:
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


def given_settings(**given: Any) -> Settings:
    """Return the settings, with what the command line gives put into the environment for the processes we start."""
    for name, value in given.items():
        if value is not None:
            os.environ[name.upper()] = str(value)
    return load_settings()


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    click.echo(line)
    sys.stdout.flush()


def show_progress(line: str) -> None:
    """Draw a line over the one before; nothing where nobody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r{line}\033[K", nl=False, err=True)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a reporter of bytes done and in all, shown as a bar with rate and time left."""
    with click.progressbar(length=1, label=label, show_pos=False) as bar:

        def report(done_bytes: int, total_bytes: int) -> None:
            bar.length = max(total_bytes, 1)
            bar.update(done_bytes - bar.pos)

        yield report
