"""``premrunner studio``: a look into the database, with Datasette (an optional extra)."""

import json
import os
import sys
from importlib.util import find_spec

import click

from premrunner.cli.console import reporting
from premrunner.config import load_settings
from premrunner.errors import NotFound, SettingsInvalid

# Datasette's own login for this run; everybody else is refused.
ONLY_ROOT = {"title": "PremRunner", "allow": {"id": "root"}}


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True, help="Port to listen on.")
@reporting
def studio(port: int) -> None:
    """Look into the database in a browser until Ctrl-C: read only, on this machine, by the link that is printed."""
    from premrunner.storage.paths import DataPaths

    settings = load_settings()
    if find_spec("datasette") is None:
        raise SettingsInvalid(["`premrunner studio` is not installed: pip install premrunner[studio]"])
    if settings.database_url.startswith("postgresql"):
        raise SettingsInvalid(["DATABASE_URL is a PostgreSQL; `premrunner studio` reads SQLite. Use psql or pgAdmin."])
    paths = DataPaths(settings.data_path)
    if not paths.database.exists():
        raise NotFound("There is no database yet. Start `premrunner serve` once.")
    paths.studio.write_text(json.dumps(ONLY_ROOT))
    where = ["--host", "127.0.0.1", "--port", str(port), "--root", "--metadata", str(paths.studio)]
    command = [sys.executable, "-m", "datasette", "serve", str(paths.database), *where]
    os.execv(command[0], command)  # noqa: S606  # It takes our place, and so our signals; no shell is near.
