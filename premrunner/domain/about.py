"""What runs here, in a few words that tell nothing of where."""

import platform
from dataclasses import dataclass

import premrunner
from premrunner.storage.database import Database


@dataclass(frozen=True)
class About:
    """This installation.

    Attributes:
        version: PremRunner's.
        python: Python's.
        system: The operating system and the processor.
        database: Which one, with its version.
    """

    version: str
    python: str
    system: str
    database: str


def about(database: Database) -> About:
    """Return what runs here."""
    return About(
        version=premrunner.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} on {platform.machine()}",
        database=database.product(),
    )
