"""PostgreSQL for tests: Debian's own, in a cluster that is gone afterwards."""

import ctypes
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Newest last; where none is installed the tests on PostgreSQL are skipped, with that as the reason.
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
START_SECONDS = 60
# From <sys/prctl.h>: the kernel sends a process this signal when its parent is gone, however that ended.
PR_SET_PDEATHSIG = 1
# A test's data may be lost with the machine.
CAREFREE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class PostgresqlCluster:
    """A running PostgreSQL.

    Args:
        folder: Empty; PostgreSQL's own user must be able to write it.
        port: Free.
        owner: User who runs it: it refuses root.
    """

    def __init__(self, folder: Path, port: int, owner: str) -> None:
        self._binaries = INSTALLED[-1].parent
        self._folder = folder
        self._port = port
        self._owner = owner
        self._count = 0
        self._initialise()

    def start(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": self._folder}
        words = [word for name, value in {**options, **CAREFREE}.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *words],
                user=self._owner,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
        ready = [self._binaries / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self._port}"]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not answer."
            time.sleep(0.05)

    def stop(self, sign: signal.Signals = signal.SIGQUIT) -> None:
        """End it: by SIGQUIT at once, by SIGINT with all written that was said to be."""
        self._process.send_signal(sign)
        self._process.wait(START_SECONDS)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and yield its URL; it is dropped at the end."""
        self._count += 1
        name = f"test_{self._count}"
        self.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://premrunner@127.0.0.1:{self._port}/{name}"
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        import psycopg  # Not needed where no PostgreSQL is installed.

        with psycopg.connect(
            host="127.0.0.1", port=self._port, user="premrunner", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    def _initialise(self) -> None:
        options = ("--username=premrunner", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        subprocess.run(
            [self._binaries / "initdb", f"--pgdata={self._folder}/data", *options],
            user=self._owner,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def running_postgresql(port: int) -> Iterator[PostgresqlCluster]:
    if not INSTALLED:
        pytest.skip("PostgreSQL is not installed.")
    owner = "postgres" if os.getuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="premrunner-postgresql-"))
    shutil.chown(folder, owner)
    try:
        cluster = PostgresqlCluster(folder, port, owner)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The database's URL, once for SQLite (empty: a file in the data folder) and once for PostgreSQL."""
    if request.param == "sqlite":
        yield ""
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    with cluster.database() as url:
        yield url
