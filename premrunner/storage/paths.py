"""Every path below DATA_PATH, built in this one place."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from premrunner.errors import ModelNotFound, StorageFailed, UploadNotFound
from premrunner.records import is_id

# Only the user who runs PremRunner may read what is in the data folder.
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class DataPaths:
    """The data folder.

    Attributes:
        root: DATA_PATH, absolute.
    """

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / "premrunner.db"

    @property
    def backups(self) -> Path:
        """Copies of the database made before it was upgraded."""
        return self.root / "backups"

    @property
    def token(self) -> Path:
        """The access token, when AUTH_TOKEN does not give one."""
        return self.root / "token"

    @property
    def session_key(self) -> Path:
        """The key that signs session cookies."""
        return self.root / "session.key"

    @property
    def run(self) -> Path:
        """Locks and the published state of running processes."""
        return self.root / "run"

    def metrics(self, server: str) -> Path:
        """What the web processes of one server count."""
        return self.run / "metrics" / server

    @property
    def studio(self) -> Path:
        """Who may look into the database with `premrunner studio`."""
        return self.run / "studio.json"

    @property
    def upgrade_lock(self) -> Path:
        """Held by whoever brings the database up to date."""
        return self.run / "upgrade.lock"

    @property
    def processes(self) -> Path:
        """A file for each process that has rows in hand, locked while it lives."""
        return self.run / "processes"

    @property
    def logs(self) -> Path:
        """Log files of the processes we start."""
        return self.root / "logs"

    @property
    def engine_log(self) -> Path:
        """What the engine's process writes."""
        return self.logs / "engine.log"

    @property
    def engine(self) -> Path:
        """Everything of engines that we start."""
        return self.root / "engine"

    @property
    def ollama(self) -> Path:
        """An Ollama that we installed."""
        return self.engine / "ollama"

    @property
    def ollama_models(self) -> Path:
        """The models of that Ollama."""
        return self.engine / "models"

    @property
    def builtin_store(self) -> Path:
        """The built-in engine's blobs and manifests."""
        return self.engine / "builtin"

    @property
    def engine_home(self) -> Path:
        """HOME for an engine, where the account has none."""
        return self.engine / "home"

    @property
    def starter_state(self) -> Path:
        """How far the starter model is, for the pages that show it."""
        return self.run / "starter.json"

    @property
    def downloads(self) -> Path:
        """Files being fetched."""
        return self.root / "downloads"

    @property
    def uploads(self) -> Path:
        """What is being uploaded, and what was."""
        return self.root / "uploads"

    @property
    def incoming_uploads(self) -> Path:
        """Bytes whose upload is not known yet."""
        return self.uploads / "incoming"

    def upload(self, upload_id: str) -> Path:
        """One upload's folder; files in it are numbered, so no name that a user gave ever becomes a path.

        Raises:
            UploadNotFound: The id is not one of ours.
        """
        if not is_id(upload_id):
            raise UploadNotFound
        return self.uploads / upload_id

    @property
    def job_queue(self) -> Path:
        """What the worker shall do."""
        return self.root / "jobs.db"

    @property
    def bases(self) -> Path:
        """Models that adapters were trained on, a folder each; one put there by hand may be named ``org--model``."""
        return self.root / "bases"

    @property
    def work(self) -> Path:
        """Work files of imports; each has a folder, which is gone when it has ended."""
        return self.root / "work"

    def work_folder(self, import_id: str) -> Path:
        """One import's work files.

        Raises:
            ModelNotFound: The id is not one of ours.
        """
        if not is_id(import_id):
            raise ModelNotFound(import_id)
        return self.work / import_id

    def prepare(self) -> None:
        """Create the folders.

        Raises:
            StorageFailed: The folder cannot be written.
        """
        try:
            for folder in (
                self.root,
                self.backups,
                self.run,
                self.processes,
                self.logs,
                self.engine,
                self.downloads,
                self.incoming_uploads,
                self.bases,
                self.work,
            ):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            probe = self.run / f"writable-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StorageFailed(
                f"DATA_PATH cannot be written: {error.strerror}. Choose another or make room."
            ) from error

    def secret(self, path: Path) -> str:
        """Return the secret in a file, making one at the first call.

        Two processes that come at the same time get the same secret: each writes its own, and the first link wins.

        Raises:
            StorageFailed: The file can be neither read nor written.
        """
        draft = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
        try:
            if not path.exists():
                self._write_private(draft, secrets.token_urlsafe(32))
                try:
                    os.link(draft, path)
                except FileExistsError:
                    pass
                finally:
                    draft.unlink()
            return path.read_text().strip()
        except OSError as error:
            raise StorageFailed(f"DATA_PATH cannot keep its secrets: {error.strerror}.") from error

    @staticmethod
    def _write_private(path: Path, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
