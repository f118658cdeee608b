"""The data folder: private, and its secrets made once."""

import stat
import threading

import pytest

from premrunner.errors import StorageFailed
from premrunner.storage.paths import DataPaths


def test_only_the_user_may_read_the_data(tmp_path):
    paths = DataPaths(tmp_path / "data")
    paths.prepare()
    paths.secret(paths.token)
    assert stat.S_IMODE(paths.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.token.stat().st_mode) == 0o600


def test_two_processes_at_one_time_get_one_token(tmp_path):
    paths = DataPaths(tmp_path)
    paths.prepare()
    secrets = []
    threads = [threading.Thread(target=lambda: secrets.append(paths.secret(paths.token))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(secrets)) == 1
    assert len(secrets[0]) >= 40
    assert [path.name for path in tmp_path.glob("token*")] == ["token"]


def test_a_folder_that_cannot_be_made_is_an_error_without_its_path(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match="DATA_PATH cannot be written") as caught:
        DataPaths(tmp_path / "file" / "data").prepare()
    assert str(tmp_path) not in caught.value.message
