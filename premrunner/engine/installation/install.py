"""Put an official Ollama release into our own folder: fetched, verified, unpacked, then switched to in one step.

``destination`` is a symbolic link to a folder beside it that is named by the archive's checksum. So there is never half
an Ollama, and one that runs keeps its libraries while a newer one comes in.
"""

import logging
import platform as this_platform
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from premrunner.engine.installation.download import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Download,
    Progress,
    refuse_downgrade,
)
from premrunner.engine.installation.unpack import can_unpack, unpack
from premrunner.engine.ownership import claim
from premrunner.engine.supervision.locations import InstalledOllama, own_executable
from premrunner.errors import EngineOwned, InstallFailed, StorageFailed

logger = logging.getLogger(__name__)

RELEASE_URL = "https://github.com/ollama/ollama/releases/latest/download"
_CHECKSUMS_NAME = "sha256sum.txt"
_MOST_CHECKSUM_BYTES = 1024 * 1024
# Version 0.20's archive for Linux is 1.9 GB and 4.3 GB unpacked.
_UNPACKED_RATIO = 2.5
_FOLDER_PREFIX = "ollama-"
_WORK_PREFIX = "unpacking-"
_DIGEST_LETTERS = 16

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Platform:
    """The machine that Ollama shall run on.

    Attributes:
        system: As ``platform.system()``: ``Linux`` or ``Darwin``.
        machine: As ``platform.machine()``.
    """

    system: str
    machine: str

    @classmethod
    def current(cls) -> "Platform":
        """Return this machine's."""
        return cls(this_platform.system(), this_platform.machine())

    def archive_names(self) -> tuple[str, ...]:
        """Return the release's archives that fit, the newest form first.

        Raises:
            InstallFailed: Ollama has no release for such a machine.
        """
        if self.system == "Darwin":
            return ("ollama-darwin.tgz",)
        architecture = _ARCHITECTURES.get(self.machine.lower())
        if self.system != "Linux" or architecture is None:
            raise InstallFailed(f"Ollama has no release for {self.system} on {self.machine}.")
        # Releases from 0.14 on have the first only, older ones the second.
        return (f"ollama-linux-{architecture}.tar.zst", f"ollama-linux-{architecture}.tgz")


def install_ollama(
    destination: Path,
    *,
    release_url: str = RELEASE_URL,
    progress: Progress,
    platform: Platform | None = None,
    session: requests.Session | None = None,
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> InstalledOllama:
    """Install a release of Ollama, or return at once if it is the one that is there.

    Interrupted at any moment, it leaves what was there before, and goes on where it was when it is called again.

    Args:
        destination: Our own copy's place; its folder is made.
        release_url: Folder of the release's files. ``latest/download`` of GitHub is the newest one.
        progress: Called with the bytes on disk and in all while the archive arrives; verifying and unpacking follow.
        platform: The machine it is for; None means this one.
        session: Makes the requests; None makes one, with the environment's proxies.
        free_bytes: Returns the free space of a folder.

    Raises:
        InstallFailed: No such release, the network failed, what came is not to be trusted, or another install
            is under way.
        StorageFailed: No space, or the disk failed.
    """
    names = (platform or Platform.current()).archive_names()
    folder = destination.parent
    try:
        ownership = claim(folder / ".install")  # A lock of its own: the engine may run meanwhile.
    except EngineOwned as error:
        raise InstallFailed("Another install is under way.") from error
    own_session = session or requests.Session()
    try:
        name, sha256 = _choose_archive(_read_checksums(own_session, release_url), names)
        target = folder / f"{_FOLDER_PREFIX}{sha256[:_DIGEST_LETTERS]}"
        if own_executable(target) is None:
            archive = folder / ".install" / f"{sha256[:_DIGEST_LETTERS]}-{name}"
            _remove_remains(archive)
            Download(
                own_session,
                f"{release_url.rstrip('/')}/{name}",
                archive,
                sha256,
                progress=progress,
                unpacked_ratio=_UNPACKED_RATIO,
                free_bytes=free_bytes,
            ).fetch()
            _unpack_beside(archive, target)
            archive.unlink()
        return _switch(destination, target)
    finally:
        if session is None:
            own_session.close()
        ownership.release()


def _read_checksums(session: requests.Session, release_url: str) -> dict[str, str]:
    """Return the release's file names with their checksums."""
    url = f"{release_url.rstrip('/')}/{_CHECKSUMS_NAME}"
    host = urlsplit(url).hostname
    try:
        with session.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as reply:
            refuse_downgrade(url, reply)
            reply.raise_for_status()
            text = next(reply.iter_content(_MOST_CHECKSUM_BYTES), b"").decode("utf-8", "replace")
    except requests.HTTPError as error:
        raise InstallFailed(f"{url} answered with status {error.response.status_code}: no release is there.") from error
    except (requests.RequestException, OSError) as error:
        raise InstallFailed(f"{host} cannot be reached. Check the connection and try again.") from error
    found = re.findall(r"^([0-9a-fA-F]{64})[ *]+(?:\./)?(\S+)\s*$", text, re.MULTILINE)
    return {name: digest.lower() for digest, name in found}


def _choose_archive(checksums: dict[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    offered = [name for name in names if name in checksums]
    if not offered:
        raise InstallFailed(f"The release has no archive for this machine ({' or '.join(names)}).")
    for name in offered:
        if can_unpack(name):
            return name, checksums[name]
    raise InstallFailed("This Python cannot read the release's .zst archive: run `pip install backports.zstd` first.")


def _remove_remains(archive: Path) -> None:
    """Throw away what an older release left half fetched, and an install that was killed half unpacked."""
    for path in archive.parent.glob("*-ollama-*"):
        if not path.name.startswith(archive.name):
            path.unlink(missing_ok=True)
    for folder in archive.parent.glob(f"{_WORK_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _unpack_beside(archive: Path, target: Path) -> None:
    """Unpack under another name, so that the target is whole from the moment it is there."""
    work_folder = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX, dir=archive.parent))
    try:
        unpack(archive, work_folder)
        if own_executable(work_folder) is None:
            raise InstallFailed("The archive of the release holds no program named ollama.")
        work_folder.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        work_folder.rename(target)
    except InstallFailed:
        archive.unlink()  # It will be no better the next time.
        raise
    except OSError as error:
        raise StorageFailed(f"Ollama could not be put in place: {error.strerror}.") from error
    finally:
        shutil.rmtree(work_folder, ignore_errors=True)


def _switch(destination: Path, target: Path) -> InstalledOllama:
    """Point the destination to the target; the one before it stays until the next install, as it may be running."""
    before = destination.resolve()
    if destination.exists() and not destination.is_symlink():
        raise InstallFailed(
            f"'{destination.name}' in the engine's folder was not put there by PremRunner; move it away."
        )
    link = target.parent / ".install" / "link"
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(destination)
    except OSError as error:
        raise StorageFailed(f"Ollama could not be put in place: {error.strerror}.") from error
    for folder in target.parent.glob(f"{_FOLDER_PREFIX}*"):
        if folder.is_dir() and folder.resolve() not in (before, target.resolve()):
            shutil.rmtree(folder, ignore_errors=True)
    executable = own_executable(destination)
    if executable is None:
        raise InstallFailed("The installed Ollama has gone missing; try again.")
    logger.info("installed Ollama", extra={"release": target.name})
    return InstalledOllama(executable.absolute(), is_own=True)
