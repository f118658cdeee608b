"""PostgreSQL for tests: Debian's own, in a cluster that is gone afterwards."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Newest last; where none is installed the tests on PostgreSQL are skipped, with that as the reason.
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
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
        self._run("initdb", "--username=premrunner", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": self._folder}
        text = " ".join(f"-c {name}={value}" for name, value in {**options, **CAREFREE}.items())
        self._run("pg_ctl", "--wait", f"--options={text}", f"--log={self._folder}/log", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

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

    def _run(self, program: str, *options: str) -> None:
        command = [self._binaries / program, f"--pgdata={self._folder}/data", *options]
        done = subprocess.run(
            command,
            user=self._owner,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, program


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
        yield cluster
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
