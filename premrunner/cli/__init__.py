"""The ``premrunner`` command: thin, as a view is; each command is one call into the rest.

What a command needs is imported when it runs, so that ``--help`` is there at once.
"""

import click

import premrunner
from premrunner.cli import engine, keys, models, site, studio


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(premrunner.__version__, prog_name="PremRunner")
def main() -> None:
    """Bring a fine-tuned model, chat with it in the browser, call it from code, see every call."""


for command in (
    site.serve,
    site.worker,
    site.token,
    site.doctor,
    site.database,
    studio.studio,
    engine.engine,
    keys.keys,
    models.upload,
    models.import_model,
    models.models,
    models.convert,
):
    main.add_command(command)
