"""Where an installed Ollama is: our own copy, the search path, and the places its installers use."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

# Inside our own copy: Linux archives hold ``bin/`` and ``lib/``, the macOS archive has the program at its top.
_OWN_EXECUTABLES = ("bin/ollama", "ollama")

# install.sh takes the first of the three that is on its PATH; a service's PATH often has none of the others.
_LINUX_EXECUTABLES = (
    "usr/local/bin/ollama",
    "usr/bin/ollama",
    "bin/ollama",
    "snap/bin/ollama",
    "home/linuxbrew/.linuxbrew/bin/ollama",
)
_MACOS_EXECUTABLES = (
    "Applications/Ollama.app/Contents/Resources/ollama",
    "usr/local/bin/ollama",
    "opt/homebrew/bin/ollama",
)


@dataclass(frozen=True)
class InstalledOllama:
    """An Ollama that can be started.

    Attributes:
        executable: The program, an absolute path.
        is_own: Whether ``premrunner engine install`` put it there, so that its models live in our data folder.
    """

    executable: Path
    is_own: bool


def own_executable(install_folder: Path) -> Path | None:
    """Return the program inside our own copy, if it is there and may be run."""
    return next((path for name in _OWN_EXECUTABLES if _may_run(path := install_folder / name)), None)


def find_ollama(
    install_folder: Path,
    *,
    search_path: str | None = None,
    root: Path = Path("/"),
    system: str = sys.platform,
) -> InstalledOllama | None:
    """Find an Ollama on this machine.

    Our own copy comes first: it is there because somebody asked for it.

    Args:
        install_folder: Where ``install_ollama`` puts our own copy.
        search_path: Folders as in PATH; None takes the environment's.
        root: Where the fixed places begin; a test's folder.
        system: As ``sys.platform``.
    """
    own = own_executable(install_folder)
    if own is not None:
        return InstalledOllama(own.absolute(), is_own=True)
    on_path = shutil.which("ollama", path=os.environ.get("PATH", "") if search_path is None else search_path)
    if on_path is not None:
        return InstalledOllama(Path(on_path).absolute(), is_own=False)
    for name in _MACOS_EXECUTABLES if system == "darwin" else _LINUX_EXECUTABLES:
        if _may_run(path := root / name):
            return InstalledOllama(path.absolute(), is_own=False)
    return None


def _may_run(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
